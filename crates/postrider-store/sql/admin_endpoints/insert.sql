-- Adds an endpoint. Its first secret and further settings follow in the same transaction.
-- Index: webhook_endpoints_tenant (the trigger that counts the tenant's endpoints).
-- $1 id, $2 tenant, $3 url, $4 description, $5 event types, $6 filter, $7 headers, sealed, $8 retry schedule in ms,
-- $9 time-out in ms, $10 in flight, $11 capture responses?, $12 enabled?, $13 reason if not, $14 metadata.
INSERT INTO postrider.webhook_endpoints
    (id, tenant_id, url, description, event_types, filter, headers_sealed, retry_schedule_ms, timeout_ms, max_in_flight,
     capture_responses, enabled, disabled_reason, metadata)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
RETURNING created_at
