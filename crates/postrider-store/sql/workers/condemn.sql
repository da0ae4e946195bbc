-- Tests a worker's death once more, in the transaction that releases its leases: its lock is taken and held until the end, or
-- its heartbeat is held back. No row: it lives, or another worker is at it. Index: webhook_workers_pkey.
-- $1 the worker's incarnation, $2 the age in seconds at which a heartbeat is too old.
WITH found AS MATERIALIZED (
    SELECT w.incarnation, w.liveness, w.heartbeat_at FROM postrider.webhook_workers w WHERE w.incarnation = $1 FOR UPDATE SKIP LOCKED
)
SELECT f.incarnation
FROM found f
WHERE CASE f.liveness
        WHEN 'lock' THEN pg_try_advisory_xact_lock(1886352245, (f.incarnation & 2147483647)::integer)
        ELSE f.heartbeat_at < clock_timestamp() - make_interval(secs => $2)
      END
