-- Deliveries, open and closed, newest event first. Only the newest $7 in the window are looked at.
-- Index: the primary key of webhook_deliveries_open and of each closed partition that $4 leaves, walked backwards; webhook_events_pkey.
-- $1 tenant or NULL, $2 endpoint or NULL, $3 status or NULL, $4 the lowest id, $5 the id to start before, $6 how many.
SELECT d.*, e.id AS event_id, e.type AS event_type
FROM (
    SELECT x.*
    FROM (
        SELECT d.id, d.endpoint_id, d.tenant_id, d.event_seq, d.event_created_at, d.status, d.reason, d.attempts, d.last_status, d.last_error,
       d.last_duration_ms, nullif(d.next_attempt_at, 'infinity') AS next_attempt_at, d.closed_at, d.replay,
       d.lease_owner IS NOT NULL AND d.next_attempt_at > (SELECT clock_timestamp()) AS leased, d.batch_id
        FROM postrider.webhook_deliveries d
        WHERE d.id >= $4 AND d.id < $5
        ORDER BY d.id DESC
        LIMIT $7
    ) x
    WHERE ($1 IS NULL OR x.tenant_id = $1) AND ($2 IS NULL OR x.endpoint_id = $2) AND ($3 IS NULL OR x.status = $3)
    ORDER BY x.id DESC
    LIMIT $6
) d
LEFT JOIN postrider.webhook_events e ON e.seq = d.event_seq AND e.created_at = d.event_created_at
ORDER BY d.id DESC
