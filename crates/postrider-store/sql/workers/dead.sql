-- Since when the server runs, and the workers that look dead: their lock is free, or their heartbeat is older than $2 seconds.
-- A test, not a verdict: the caller waits a grace and tests again. A few rows; reads them all.
-- $1 this worker's own incarnation. The lock, if got, is given back with this statement's transaction.
SELECT s.started_at, w.incarnation, w.name, w.liveness
FROM (SELECT pg_postmaster_start_time() AS started_at) s
LEFT JOIN postrider.webhook_workers w
    ON w.incarnation <> $1
   AND CASE w.liveness
         WHEN 'lock' THEN pg_try_advisory_xact_lock(1886352245, (w.incarnation & 2147483647)::integer)
         ELSE w.heartbeat_at < clock_timestamp() - make_interval(secs => $2)
       END
