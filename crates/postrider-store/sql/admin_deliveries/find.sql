-- Deliveries whose ids lie in a range: one id, or all that begin alike.
-- Index: the primary key of webhook_deliveries_open and of the closed partitions that the range leaves; webhook_events_pkey.
-- $1 the lowest id, $2 the highest.
SELECT d.*, e.id AS event_id, e.type AS event_type
FROM (
    SELECT d.id, d.endpoint_id, d.tenant_id, d.event_seq, d.event_created_at, d.status, d.reason, d.attempts, d.last_status, d.last_error,
       d.last_duration_ms, nullif(d.next_attempt_at, 'infinity') AS next_attempt_at, d.closed_at, d.replay,
       d.lease_owner IS NOT NULL AND d.next_attempt_at > (SELECT clock_timestamp()) AS leased, d.batch_id
    FROM postrider.webhook_deliveries d
    WHERE d.id BETWEEN $1 AND $2
    ORDER BY d.id
    LIMIT 5
) d
LEFT JOIN postrider.webhook_events e ON e.seq = d.event_seq AND e.created_at = d.event_created_at
ORDER BY d.id
