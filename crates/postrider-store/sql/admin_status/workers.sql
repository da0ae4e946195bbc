-- The fleet: who is registered, and who holds the lock that says it lives. A few rows; reads them all.
SELECT w.incarnation, w.name, w.pid, w.version, w.roles, w.liveness, w.wakeup, w.started_at, w.heartbeat_at,
       CASE w.liveness
         WHEN 'lock' THEN EXISTS (
             SELECT FROM pg_locks l
             WHERE l.locktype = 'advisory' AND l.database = (SELECT o.oid FROM pg_database o WHERE o.datname = current_database())
               AND l.classid = 1886352245::oid AND l.objid = (w.incarnation & 2147483647)::oid AND l.objsubid = 2 AND l.granted)
         ELSE w.heartbeat_at > clock_timestamp() - interval '15 seconds'
       END AS alive
FROM postrider.webhook_workers w
ORDER BY w.incarnation
