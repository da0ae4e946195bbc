-- Notes that a key was used. A row that somebody else notes at this moment is noted already, so nobody waits. Index: api_keys_pkey.
UPDATE postrider.api_keys k SET last_used_at = clock_timestamp()
WHERE k.id = (SELECT o.id FROM postrider.api_keys o WHERE o.id = $1 FOR NO KEY UPDATE SKIP LOCKED)
