-- Open deliveries, newest event first; the same as the list of all, but history is not walked for them.
-- Index: webhook_deliveries_open_pkey, walked backwards; webhook_events_pkey.
-- $1 tenant or NULL, $2 endpoint or NULL, $3 the lowest id, $4 the id to start before, $5 how many, $6 how many are looked at.
SELECT d.*, e.id AS event_id, e.type AS event_type
FROM (
    SELECT x.*
    FROM (
        SELECT d.id, d.endpoint_id, d.tenant_id, d.event_seq, d.event_created_at, d.status, d.reason, d.attempts, d.last_status, d.last_error,
       d.last_duration_ms, nullif(d.next_attempt_at, 'infinity') AS next_attempt_at, d.closed_at, d.replay,
       d.lease_owner IS NOT NULL AND d.next_attempt_at > (SELECT clock_timestamp()) AS leased, d.batch_id
        FROM postrider.webhook_deliveries_open d
        WHERE d.id >= $3 AND d.id < $4
        ORDER BY d.id DESC
        LIMIT $6
    ) x
    WHERE ($1 IS NULL OR x.tenant_id = $1) AND ($2 IS NULL OR x.endpoint_id = $2)
    ORDER BY x.id DESC
    LIMIT $5
) d
LEFT JOIN postrider.webhook_events e ON e.seq = d.event_seq AND e.created_at = d.event_created_at
ORDER BY d.id DESC
