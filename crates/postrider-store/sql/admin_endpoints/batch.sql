-- Sets whether an endpoint's events go in batches; NULLs: they do not. Batches that were sent keep what they were made with.
-- Index: webhook_endpoints_pkey. $1 id, $2 most events, $3 longest wait in ms, $4 most bytes, $5 encoding.
UPDATE postrider.webhook_endpoints e
SET batch_max_events = $2, batch_max_wait_ms = $3, batch_max_bytes = $4, batch_encoding = $5, updated_at = clock_timestamp()
WHERE e.id = $1
RETURNING e.id
