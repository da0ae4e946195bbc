-- Routing versions of the tenants given. Index: webhook_routing_versions_pkey.
SELECT v.tenant_id, v.version FROM postrider.webhook_routing_versions v WHERE v.tenant_id = ANY ($1)
