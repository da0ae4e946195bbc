-- Cancels up to $3 open deliveries of a disabled or deleted endpoint, with the reason, in one paced batch. A delivery that is
-- in flight keeps its lease's row until it is recorded; what is leased is left to its worker. Nothing once it is enabled again.
-- Index: webhook_deliveries_open_due, webhook_endpoints_pkey.
-- ANY (ARRAY[…]) can only be asked of the index: a plain equality could be planned as a walk of the whole index while
-- the table is empty (the planner keeps its order for a merge join), and a prepared plan stays.
WITH chosen AS MATERIALIZED (
    SELECT d.id FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = $1 AND (d.lease_owner IS NULL OR d.next_attempt_at <= (SELECT clock_timestamp()))
      AND NOT EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.enabled)
    ORDER BY d.next_attempt_at
    LIMIT $3
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
ON CONFLICT (id, open) DO NOTHING
