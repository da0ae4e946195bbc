-- Endpoints of a tenant in the order of their ids, which is that of their creation, after $2.
-- Index: webhook_endpoints_tenant. $1 tenant, $2 the id to start after, $3 how many.
SELECT e.id, e.tenant_id, e.url, e.description, e.event_types, e.filter, e.headers_sealed, e.retry_schedule_ms, e.timeout_ms,
       e.max_in_flight, e.capture_responses, e.enabled, e.disabled_reason, e.metadata, e.created_at, e.updated_at,
       e.format, e.signing, e.auth, e.tls_sealed, e.ordering, e.skip_after, e.rate_limit,
       e.batch_max_events, e.batch_max_wait_ms, e.batch_max_bytes, e.batch_encoding, e.paused_at, e.paused_reason, e.auth_sealed
FROM postrider.webhook_endpoints e
WHERE e.tenant_id = $1 AND e.id > $2
ORDER BY e.id
LIMIT $3
