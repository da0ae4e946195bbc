-- Gives the secrets that have no end one, $2 ms from now. Those that have one keep it: rotating twice kills none early.
-- Index: webhook_endpoint_secrets_endpoint.
UPDATE postrider.webhook_endpoint_secrets s
SET expires_at = clock_timestamp() + $2 * interval '1 millisecond'
WHERE s.endpoint_id = $1 AND s.expires_at IS NULL
