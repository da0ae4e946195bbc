-- Owes an event to an endpoint once more, if the endpoint is enabled and the body is there.
-- Index: webhook_endpoints_pkey (locked FOR KEY SHARE: one that is disabled at this moment gets nothing), webhook_events_pkey of one day.
-- $1 id, $2 endpoint, $3 event seq, $4 event time, $5 replay number.
WITH live AS MATERIALIZED (
    SELECT e.id, e.tenant_id FROM postrider.webhook_endpoints e WHERE e.id = $2 AND e.enabled FOR KEY SHARE
), body AS MATERIALIZED (
    SELECT b.seq, b.created_at, b.tenant_id FROM postrider.webhook_events b WHERE b.seq = $3 AND b.created_at = $4
)
INSERT INTO postrider.webhook_deliveries_open
    (id, endpoint_id, event_seq, event_created_at, tenant_id, replay, open, status, next_attempt_at)
SELECT $1, l.id, b.seq, b.created_at, b.tenant_id, $5, true, 'pending', clock_timestamp()
FROM live l, body b
WHERE b.tenant_id = l.tenant_id
ON CONFLICT (id, open) DO NOTHING
