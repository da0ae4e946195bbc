-- Inserts what fan-out matched: handed-off rows already leased to this worker, the others as due;
-- what is ordered waits out of sight of the due (see pull).
-- Index: webhook_endpoints_pkey (locked FOR KEY SHARE: a deleted or disabled endpoint gets nothing), webhook_deliveries_open_pkey.
-- No ON CONFLICT: the claimed pending row makes these the event's first deliveries, and speculative insertion would double the cost
-- (8 instead of 4 µs a row, PostgreSQL 15, 2 cores, 2026-11-21).
-- The hashed sub-select (IS TRUE keeps it one) tests each row in constant time with hash joins pinned off.
-- $1 ids, $2 endpoints, $3 event seqs, $4 event times, $5 tenants, $6 order keys, $7 handed off?, $8 the endpoints, once each,
-- $9 this worker's incarnation, $10 the lease in seconds, $11 the batches in which they go.
WITH live AS MATERIALIZED (
    SELECT e.id FROM postrider.webhook_endpoints e WHERE e.id = ANY ($8) AND e.enabled FOR KEY SHARE
), input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $11)
        AS i (id, endpoint_id, event_seq, event_created_at, tenant_id, order_key, handed_off, batch_id)
)
INSERT INTO postrider.webhook_deliveries_open
    (id, endpoint_id, event_seq, event_created_at, tenant_id, order_key, open, status, next_attempt_at, lease_owner, lease_no, batch_id)
SELECT i.id, i.endpoint_id, i.event_seq, i.event_created_at, i.tenant_id, i.order_key, true, 'pending',
       CASE WHEN i.handed_off THEN clock_timestamp() + make_interval(secs => $10)
            WHEN i.order_key IS NOT NULL THEN 'infinity' ELSE clock_timestamp() END,
       CASE WHEN i.handed_off THEN $9 END,
       CASE WHEN i.handed_off THEN 1 ELSE 0 END,
       i.batch_id
FROM input i
WHERE (i.endpoint_id IN (SELECT l.id FROM live l)) IS TRUE
