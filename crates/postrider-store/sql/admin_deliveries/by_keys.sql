-- Deliveries by their ids, in that order. Index: webhook_deliveries_open_pkey and the primary key of one closed partition; webhook_events_pkey.
-- $1 ids.
SELECT d.id, d.endpoint_id, d.tenant_id, d.event_seq, d.event_created_at, d.status, d.reason, d.attempts, d.last_status, d.last_error,
       d.last_duration_ms, nullif(d.next_attempt_at, 'infinity') AS next_attempt_at, d.closed_at, d.replay,
       d.lease_owner IS NOT NULL AND d.next_attempt_at > (SELECT clock_timestamp()) AS leased, d.batch_id, e.id AS event_id, e.type AS event_type
FROM unnest($1) WITH ORDINALITY AS k (id, n)
CROSS JOIN LATERAL (SELECT o.* FROM postrider.webhook_deliveries o WHERE o.id = k.id LIMIT 1) d
LEFT JOIN LATERAL (SELECT b.id, b.type FROM postrider.webhook_events b WHERE b.seq = d.event_seq AND b.created_at = d.event_created_at LIMIT 1) e ON true
ORDER BY k.n
