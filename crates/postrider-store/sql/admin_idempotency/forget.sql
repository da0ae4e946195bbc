-- Frees a key whose request changed nothing. Index: idempotency_keys_pkey.
DELETE FROM postrider.idempotency_keys k WHERE k.id = $1
