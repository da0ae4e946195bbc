-- Deliveries by their ids, in that order. Index: webhook_deliveries_open_pkey and the primary key of one closed partition; webhook_events_pkey.
-- $1 ids.
SELECT d.id, d.endpoint_id, d.tenant_id, d.event_seq, d.event_created_at, d.status, d.reason, d.attempts, d.last_status, d.last_error,
       d.last_duration_ms, nullif(d.next_attempt_at, 'infinity') AS next_attempt_at, d.closed_at, d.replay,
       d.lease_owner IS NOT NULL AND d.next_attempt_at > (SELECT clock_timestamp()) AS leased, d.batch_id, e.id AS event_id, e.type AS event_type
FROM unnest($1) WITH ORDINALITY AS k (id, n)
JOIN postrider.webhook_deliveries d ON d.id = k.id
LEFT JOIN postrider.webhook_events e ON e.seq = d.event_seq AND e.created_at = d.event_created_at
ORDER BY k.n
