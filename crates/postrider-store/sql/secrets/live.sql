-- How many secrets of an endpoint are live. Index: webhook_endpoint_secrets_endpoint.
SELECT count(*) FROM postrider.webhook_endpoint_secrets s
WHERE s.endpoint_id = $1 AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
