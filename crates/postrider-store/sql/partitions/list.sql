-- Every partition there is or ought to be, in order, and the time it was asked. Reads the catalog and a small registry.
-- $1 the time to say, for tests; the clock's if null.
SELECT coalesce($1, clock_timestamp()) AS asked_at, s.parent, s.name, s.kind,
       CASE WHEN isfinite(s.lo) THEN s.lo END AS lo, CASE WHEN isfinite(s.hi) THEN s.hi END AS hi, s.state, s.registered
FROM postrider.partition_states() s
