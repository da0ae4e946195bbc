-- The transactions that may have drawn a seq and have not ended, prepared ones too: each holds this lock on the ledger from before it draws
-- until its commit can be seen. Reads pg_locks, no table.
SELECT l.virtualtransaction
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'relation' AND l.relation = 'postrider.webhook_event_ids'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
