-- Events whose ids begin with $1, of tenant $2 or of any. Index: webhook_event_ids_pkey, one probe for each tenant (loose scan).
-- The tilde sorts after every character that an id may hold.
WITH RECURSIVE tenant AS (
    (SELECT l.tenant_id FROM postrider.webhook_event_ids l WHERE $2 IS NULL ORDER BY l.tenant_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id
    FROM tenant t
    CROSS JOIN LATERAL (
        SELECT l.tenant_id FROM postrider.webhook_event_ids l WHERE l.tenant_id > t.tenant_id ORDER BY l.tenant_id LIMIT 1
    ) n
), wanted AS (
    SELECT t.tenant_id FROM tenant t
    UNION ALL
    SELECT $2 COLLATE "C" WHERE $2 IS NOT NULL
)
SELECT f.seq, f.created_at, f.tenant_id, f.id
FROM wanted w
CROSS JOIN LATERAL (
    SELECT l.seq, l.created_at, l.tenant_id, l.id
    FROM postrider.webhook_event_ids l
    WHERE l.tenant_id = w.tenant_id AND l.id >= $1 AND l.id < ($1 || '~') COLLATE "C"
    ORDER BY l.id
    LIMIT 5
) f
LIMIT 5
