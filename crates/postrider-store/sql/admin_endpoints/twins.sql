-- Other endpoints of a tenant with the same URL: each event that both match is sent twice. Index: webhook_endpoints_tenant.
SELECT e.id FROM postrider.webhook_endpoints e WHERE e.tenant_id = $1 AND e.url = $2 AND e.id <> $3 ORDER BY e.id LIMIT 5
