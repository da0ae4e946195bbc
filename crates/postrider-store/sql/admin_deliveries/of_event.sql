-- The deliveries of one event: their ids begin with its time in ms, so one narrow range of one partition holds them.
-- Index: the primary key of webhook_deliveries_open and of one or two closed partitions; webhook_events_pkey.
-- $1 the lowest id of that ms, $2 the lowest of the next, $3 the event's seq, $4 how many.
SELECT d.*, e.id AS event_id, e.type AS event_type
FROM (
    SELECT d.id, d.endpoint_id, d.tenant_id, d.event_seq, d.event_created_at, d.status, d.reason, d.attempts, d.last_status, d.last_error,
       d.last_duration_ms, nullif(d.next_attempt_at, 'infinity') AS next_attempt_at, d.closed_at, d.replay,
       d.lease_owner IS NOT NULL AND d.next_attempt_at > (SELECT clock_timestamp()) AS leased, d.batch_id
    FROM postrider.webhook_deliveries d
    WHERE d.id >= $1 AND d.id < $2 AND d.event_seq = $3
    ORDER BY d.id
    LIMIT $4
) d
LEFT JOIN postrider.webhook_events e ON e.seq = d.event_seq AND e.created_at = d.event_created_at
ORDER BY d.endpoint_id, d.replay
