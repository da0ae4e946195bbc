-- Owes an event to an endpoint once more, if the endpoint is enabled and sent to, and the body is there.
-- Index: webhook_endpoints_pkey (locked FOR KEY SHARE: one that is disabled at this moment gets nothing), webhook_events_pkey of one day,
-- webhook_events_pending_pkey, webhook_events_failed_pkey, the primary key of one closed partition.
-- $1 id, $2 endpoint, $3 event seq, $4 event time, $5 replay number.
WITH live AS MATERIALIZED (
    SELECT e.id, e.tenant_id FROM postrider.webhook_endpoints e WHERE e.id = $2 AND e.enabled AND e.kind <> 'pull' FOR KEY SHARE
), body AS MATERIALIZED (
    SELECT b.seq, b.created_at, b.tenant_id FROM postrider.webhook_events b WHERE b.seq = $3 AND b.created_at = $4
)
INSERT INTO postrider.webhook_deliveries_open
    (id, endpoint_id, event_seq, event_created_at, tenant_id, replay, open, status, next_attempt_at)
SELECT $1, l.id, b.seq, b.created_at, b.tenant_id, $5, true, 'pending', clock_timestamp()
FROM live l, body b
WHERE b.tenant_id = l.tenant_id
  -- What is not fanned out yet, or could not be, is for fan-out: its first deliveries are its own.
  AND NOT EXISTS (SELECT FROM postrider.webhook_events_pending p WHERE p.seq = $3)
  AND NOT EXISTS (SELECT FROM postrider.webhook_events_failed f WHERE f.seq = $3)
  -- Somebody did the same just now, and it is over already.
  AND NOT EXISTS (SELECT FROM postrider.webhook_deliveries_closed c WHERE c.id = $1)
ON CONFLICT (id, open) DO NOTHING
