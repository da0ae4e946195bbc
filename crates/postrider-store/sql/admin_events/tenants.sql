-- Tenants that have published, $1 at most. Index: webhook_event_ids_pkey, one probe for each tenant (loose scan).
WITH RECURSIVE tenant AS (
    (SELECT l.tenant_id FROM postrider.webhook_event_ids l ORDER BY l.tenant_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id
    FROM tenant t
    CROSS JOIN LATERAL (
        SELECT l.tenant_id FROM postrider.webhook_event_ids l WHERE l.tenant_id > t.tenant_id ORDER BY l.tenant_id LIMIT 1
    ) n
)
SELECT t.tenant_id FROM tenant t LIMIT $1
