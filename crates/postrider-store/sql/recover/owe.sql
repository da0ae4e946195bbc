-- Owes events to an endpoint, if it is enabled and is sent to. Index: webhook_endpoints_pkey (locked FOR KEY SHARE: one that is disabled at
-- this moment gets nothing), webhook_deliveries_open_pkey.
-- Waits for a recorder that is closing one of them; what it closed is taken back by take_back.sql, which sees it.
-- What was never sent takes its place in the endpoint's order, as fan-out would have given it; what is sent once more has none.
-- $1 delivery ids, $2 event seqs, $3 event times, $4 replay numbers, $5 endpoint, $6 the events' ordering keys.
WITH live AS MATERIALIZED (
    SELECT e.id, e.tenant_id, e.ordering FROM postrider.webhook_endpoints e WHERE e.id = $5 AND e.enabled AND e.kind <> 'pull' FOR KEY SHARE
), input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $6) AS i (id, event_seq, event_created_at, replay, ordering_key)
), owed AS MATERIALIZED (
    SELECT i.*, l.id AS endpoint_id, l.tenant_id,
           CASE WHEN i.replay > 0 THEN NULL WHEN l.ordering = 'key' THEN i.ordering_key WHEN l.ordering = 'endpoint' THEN '' END AS order_key
    FROM input i CROSS JOIN live l
)
INSERT INTO postrider.webhook_deliveries_open AS d
    (id, endpoint_id, event_seq, event_created_at, tenant_id, replay, order_key, open, status, next_attempt_at)
SELECT o.id, o.endpoint_id, o.event_seq, o.event_created_at, o.tenant_id, o.replay, o.order_key, true, 'pending',
       CASE WHEN o.order_key IS NOT NULL THEN 'infinity' ELSE clock_timestamp() END
FROM owed o
ORDER BY o.event_seq
ON CONFLICT (id, open) DO NOTHING
RETURNING d.id
