-- Whether a disabled endpoint is still owed something. Index: webhook_endpoints_pkey, webhook_deliveries_open_due.
SELECT FROM postrider.webhook_endpoints e
WHERE e.id = $1 AND NOT e.enabled AND EXISTS (SELECT FROM postrider.webhook_deliveries_open d WHERE d.endpoint_id = e.id)
