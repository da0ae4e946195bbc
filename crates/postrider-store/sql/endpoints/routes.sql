-- What fan-out needs of a tenant's enabled endpoints, with the routing version of the same snapshot.
-- Index: webhook_endpoints_tenant, webhook_routing_versions_pkey.
SELECT v.version, e.id, e.event_types, e.filter
FROM (SELECT $1 AS tenant_id) t
LEFT JOIN postrider.webhook_routing_versions v ON v.tenant_id = t.tenant_id
LEFT JOIN postrider.webhook_endpoints e ON e.tenant_id = t.tenant_id AND e.enabled
ORDER BY e.id
