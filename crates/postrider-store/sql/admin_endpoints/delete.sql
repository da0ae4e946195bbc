-- Deletes an endpoint; its secrets go with it. Waits for a fan-out that holds it FOR KEY SHARE. Index: webhook_endpoints_pkey.
DELETE FROM postrider.webhook_endpoints e WHERE e.id = $1 RETURNING e.id
