-- Frees a key whose request changed nothing, if it is still claimed as it was. Index: idempotency_keys_pkey. $2 when it was claimed.
DELETE FROM postrider.idempotency_keys k WHERE k.id = $1 AND k.created_at = $2
