-- Tenants that ever published, had an endpoint or have settings, in the order of their names, behind $1; at most $2.
-- Index: webhook_event_ids_pkey, webhook_routing_versions_pkey, tenants_pkey, one probe of each a tenant (loose scan).
WITH RECURSIVE known AS (
    SELECT least((SELECT l.tenant_id FROM postrider.webhook_event_ids l WHERE l.tenant_id > $1 ORDER BY l.tenant_id LIMIT 1),
                 (SELECT v.tenant_id FROM postrider.webhook_routing_versions v WHERE v.tenant_id > $1 ORDER BY v.tenant_id LIMIT 1),
                 (SELECT s.tenant_id FROM postrider.tenants s WHERE s.tenant_id > $1 ORDER BY s.tenant_id LIMIT 1)) AS tenant_id,
           1::bigint AS number
    UNION ALL
    SELECT least((SELECT l.tenant_id FROM postrider.webhook_event_ids l WHERE l.tenant_id > k.tenant_id ORDER BY l.tenant_id LIMIT 1),
                 (SELECT v.tenant_id FROM postrider.webhook_routing_versions v WHERE v.tenant_id > k.tenant_id ORDER BY v.tenant_id LIMIT 1),
                 (SELECT s.tenant_id FROM postrider.tenants s WHERE s.tenant_id > k.tenant_id ORDER BY s.tenant_id LIMIT 1)),
           k.number + 1
    FROM known k
    WHERE k.tenant_id IS NOT NULL AND k.number < $2
)
SELECT k.tenant_id, t.max_in_flight, t.rate_limit, coalesce(t.capture_engagement_events, false), t.updated_at
FROM known k
LEFT JOIN postrider.tenants t ON t.tenant_id = k.tenant_id
WHERE k.tenant_id IS NOT NULL
ORDER BY k.tenant_id
