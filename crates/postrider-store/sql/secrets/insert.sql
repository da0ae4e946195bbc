-- Gives an endpoint a further secret, sealed before it came here. Index: webhook_endpoint_secrets_endpoint (the trigger that
-- counts the live ones). $1 endpoint, $2 algorithm, $3 encoding, $4 secret, sealed, $5 public key.
INSERT INTO postrider.webhook_endpoint_secrets (endpoint_id, algorithm, encoding, sealed, public_key)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, created_at
