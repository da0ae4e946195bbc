-- The published keys of an endpoint, newest first. Index: webhook_endpoint_secrets_endpoint.
SELECT s.public_key, s.created_at, s.expires_at
FROM postrider.webhook_endpoint_secrets s
WHERE s.endpoint_id = $1 AND s.public_key IS NOT NULL AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
ORDER BY s.created_at DESC, s.id
