-- Adds an endpoint with its first secret; both were sealed before they came here. One statement, so one transaction.
-- Index: webhook_endpoints_tenant (the trigger that counts the tenant's endpoints).
-- $1 id, $2 tenant, $3 url, $4 description, $5 event types, $6 filter, $7 headers, sealed, $8 retry schedule in s,
-- $9 time-out in ms, $10 in flight, $11 capture responses?, $12 enabled?, $13 reason if not, $14 metadata, $15 secret, sealed.
WITH endpoint AS (
    INSERT INTO postrider.webhook_endpoints
        (id, tenant_id, url, description, event_types, filter, headers_sealed, retry_schedule, timeout_ms, max_in_flight,
         capture_responses, enabled, disabled_reason, metadata)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    RETURNING id, created_at
), secret AS (
    INSERT INTO postrider.webhook_endpoint_secrets (endpoint_id, sealed) SELECT e.id, $15 FROM endpoint e
)
SELECT e.created_at FROM endpoint e
