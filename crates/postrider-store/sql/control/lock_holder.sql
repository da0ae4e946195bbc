-- Who holds the publishers' side of the wake-up lock: the process that keeps an idle worker from sleeping. pg_locks is small.
-- $1 class, $2 key, as the unsigned halves that pg_locks shows.
SELECT l.pid FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 AND l.mode = 'ShareLock' AND l.granted
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
LIMIT 1
