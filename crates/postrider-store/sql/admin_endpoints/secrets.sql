-- The secrets of an endpoint, newest first, without the secrets. Index: webhook_endpoint_secrets_endpoint.
SELECT s.id, s.algorithm, s.encoding, s.public_key, s.created_at, s.expires_at
FROM postrider.webhook_endpoint_secrets s
WHERE s.endpoint_id = $1
ORDER BY s.created_at DESC, s.id
