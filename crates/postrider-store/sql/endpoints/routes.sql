-- What fan-out needs of a tenant's enabled endpoints, with the routing version of the same snapshot.
-- Index: webhook_endpoints_tenant, webhook_routing_versions_pkey.
SELECT v.version, e.id, e.event_types, e.filter, e.ordering, e.batch_max_events IS NOT NULL AS batched
FROM (SELECT 1) one
LEFT JOIN postrider.webhook_routing_versions v ON v.tenant_id = $1
LEFT JOIN postrider.webhook_endpoints e ON e.tenant_id = $1 AND e.enabled
