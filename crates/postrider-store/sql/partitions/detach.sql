-- The command that takes a partition off its parent, or finishes doing so; no row: it is off. A command of its own, since
-- DETACH … CONCURRENTLY takes no part in a transaction. Index: pg_class_relname_nsp_index, pg_inherits_relid_seqno_index.
SELECT format('ALTER TABLE postrider.%I DETACH PARTITION postrider.%I %s', p.relname, c.relname,
              CASE WHEN i.inhdetachpending THEN 'FINALIZE' ELSE 'CONCURRENTLY' END)
FROM pg_class c
JOIN pg_inherits i ON i.inhrelid = c.oid
JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relname = $1 AND c.relnamespace = 'postrider'::regnamespace
