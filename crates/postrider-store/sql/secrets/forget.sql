-- Removes the secrets of an endpoint that have ended. Index: webhook_endpoint_secrets_endpoint.
DELETE FROM postrider.webhook_endpoint_secrets s WHERE s.endpoint_id = $1 AND s.expires_at <= clock_timestamp()
