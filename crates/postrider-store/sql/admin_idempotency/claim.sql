-- Claims a key for a request; no row: somebody has it. One whose first request ended without an answer three minutes ago is free again:
-- longer than any client waits.
-- $1 the key's digest, $2 the request's. Index: idempotency_keys_pkey.
INSERT INTO postrider.idempotency_keys AS k (id, request) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, created_at = clock_timestamp()
WHERE k.status IS NULL AND k.created_at < clock_timestamp() - interval '3 min'
RETURNING k.created_at
