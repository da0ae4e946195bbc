-- Owes events to an endpoint, if it is enabled. Index: webhook_endpoints_pkey (locked FOR KEY SHARE: one that is disabled at this moment
-- gets nothing), webhook_deliveries_open_pkey, and of the closed partitions theirs.
-- $1 delivery ids, $2 event seqs, $3 event times, $4 replay numbers, $5 endpoint.
WITH live AS MATERIALIZED (
    SELECT e.id, e.tenant_id FROM postrider.webhook_endpoints e WHERE e.id = $5 AND e.enabled FOR KEY SHARE
), input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4) AS i (id, event_seq, event_created_at, replay)
)
INSERT INTO postrider.webhook_deliveries_open
    (id, endpoint_id, event_seq, event_created_at, tenant_id, replay, open, status, next_attempt_at)
SELECT i.id, l.id, i.event_seq, i.event_created_at, l.tenant_id, i.replay, true, 'pending', clock_timestamp()
FROM input i CROSS JOIN live l
-- What somebody else has sent since this was looked at. A value, not EXISTS: that could be planned as a walk of the whole index.
WHERE (SELECT true FROM postrider.webhook_deliveries_closed c WHERE c.id = i.id) IS NULL
ON CONFLICT (id, open) DO NOTHING
