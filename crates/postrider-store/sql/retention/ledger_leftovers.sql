-- The commands that remove what an interrupted REINDEX CONCURRENTLY left. Index: pg_class_relname_nsp_index.
SELECT format('DROP INDEX CONCURRENTLY postrider.%I', c.relname)
FROM pg_class c
JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relname LIKE 'webhook\_event\_ids\_seq\_cc%' AND c.relnamespace = 'postrider'::regnamespace AND NOT i.indisvalid
