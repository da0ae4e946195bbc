-- What fan-out needs of a tenant's enabled endpoints, with the routing version of the same snapshot. Those that are read get no deliveries.
-- Index: webhook_endpoints_tenant, webhook_routing_versions_pkey.
SELECT v.version, e.id, e.event_types, e.filter, e.ordering, e.format,
       e.batch_max_events AS max_events, e.batch_max_wait_ms AS max_wait_ms, e.batch_max_bytes AS max_bytes, e.batch_encoding AS encoding
FROM (SELECT 1) one
LEFT JOIN postrider.webhook_routing_versions v ON v.tenant_id = $1
LEFT JOIN postrider.webhook_endpoints e ON e.tenant_id = $1 AND e.enabled AND e.kind <> 'pull'
