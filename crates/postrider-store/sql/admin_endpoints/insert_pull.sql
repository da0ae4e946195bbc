-- Adds an endpoint that is read instead of sent to. Index: webhook_endpoints_tenant (the trigger that counts the tenant's endpoints).
-- $1 id, $2 tenant, $3 description, $4 event types, $5 filter, $6 enabled?, $7 reason if not, $8 metadata.
INSERT INTO postrider.webhook_endpoints (id, tenant_id, kind, url, description, event_types, filter, enabled, disabled_reason, metadata)
VALUES ($1, $2, 'pull', 'pull:', $3, $4, $5, $6, $7, $8)
RETURNING created_at
