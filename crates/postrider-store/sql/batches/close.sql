-- Closes members of a batch that came to their end, if their lease still holds. As deliveries/close, but what is closed already, which must
-- never happen, is passed over here and keeps its row: a batch is not written in parts.
-- Index: webhook_deliveries_open_pkey; closed routes by id. Rows are given, and so locked, in id order.
-- $1 ids, $2 lease numbers, $3 attempts, $4 HTTP statuses, $5 durations in ms, $6 statuses, $7 reasons, $8 error classes, $9 lease owner.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) AS i (id, lease_no, attempts, last_status, last_duration_ms, status, reason, last_error)
), gone AS (
    DELETE FROM postrider.webhook_deliveries_open d USING input i
    WHERE d.id = ANY (ARRAY[i.id]) AND d.lease_owner = $9 AND d.lease_no = i.lease_no
    RETURNING d.id, d.endpoint_id, d.event_seq, d.event_created_at, d.lease_owner, d.lease_no, d.replay, d.tenant_id, d.order_key, d.batch_id,
              i.attempts, i.last_status, i.last_duration_ms, i.status, i.reason, i.last_error
)
INSERT INTO postrider.webhook_deliveries_closed
    (id, endpoint_id, event_seq, event_created_at, closed_at, lease_owner, lease_no, last_duration_ms, attempts, replay, last_status,
     open, status, tenant_id, reason, last_error, order_key, batch_id)
SELECT g.id, g.endpoint_id, g.event_seq, g.event_created_at, clock_timestamp(), g.lease_owner, g.lease_no, g.last_duration_ms, g.attempts, g.replay,
       g.last_status, false, g.status, g.tenant_id, g.reason, g.last_error, g.order_key, g.batch_id
FROM gone g
ON CONFLICT (id, open) DO NOTHING
