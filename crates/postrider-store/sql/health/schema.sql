-- Which schema the database has, and whether it takes writes. Index: schema_history_pkey.
SELECT (SELECT max(h.version) FROM postrider.schema_history h), pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
