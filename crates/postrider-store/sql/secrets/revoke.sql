-- Removes one secret of an endpoint. No row: there is none of that id. Index: webhook_endpoint_secrets_pkey.
DELETE FROM postrider.webhook_endpoint_secrets s WHERE s.endpoint_id = $1 AND s.id = $2 RETURNING s.id
