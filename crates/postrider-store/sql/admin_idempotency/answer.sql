-- Keeps the answer. Index: idempotency_keys_pkey. $1 the key's digest, $2 status, $3 content type, $4 body.
UPDATE postrider.idempotency_keys k SET status = $2, content_type = $3, body_sealed = $4 WHERE k.id = $1
