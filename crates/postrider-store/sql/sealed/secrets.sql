-- A page of secrets in the order of their ids, after $1. Index: webhook_endpoint_secrets_pkey.
SELECT s.id, s.endpoint_id, s.sealed FROM postrider.webhook_endpoint_secrets s WHERE s.id > $1 ORDER BY s.id LIMIT $2
