-- Ends an open delivery that no worker holds. Index: webhook_deliveries_open_pkey; closed routes by id. $1 id, $2 the reason.
WITH chosen AS MATERIALIZED (
    SELECT d.id FROM postrider.webhook_deliveries_open d
    WHERE d.id = $1 AND (d.lease_owner IS NULL OR d.next_attempt_at <= (SELECT clock_timestamp()))
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM postrider.webhook_deliveries_open d USING chosen c WHERE d.id = ANY (ARRAY[c.id])
    RETURNING d.*
)
INSERT INTO postrider.webhook_deliveries_closed
    (id, endpoint_id, event_seq, event_created_at, closed_at, lease_owner, lease_no, last_duration_ms, attempts, replay, last_status,
     open, status, tenant_id, reason, last_error, order_key, batch_id)
SELECT g.id, g.endpoint_id, g.event_seq, g.event_created_at, clock_timestamp(), NULL, g.lease_no + 1, g.last_duration_ms, g.attempts, g.replay,
       g.last_status, false, 'cancelled', g.tenant_id, $2, g.last_error, g.order_key, g.batch_id
FROM gone g
