-- Keeps the answer of who claimed the key at that time, and of nobody else. Index: idempotency_keys_pkey.
-- $1 the key's digest, $2 status, $3 content type, $4 body, $5 when it was claimed.
UPDATE postrider.idempotency_keys k SET status = $2, content_type = $3, body_sealed = $4 WHERE k.id = $1 AND k.created_at = $5
