-- What is known of a key. Index: idempotency_keys_pkey.
SELECT k.request, k.status, k.content_type, k.body_sealed FROM postrider.idempotency_keys k WHERE k.id = $1
