-- Closes up to $3 open deliveries of events of [$1, $2) as exhausted, since their bodies go. What is leased stays: its worker
-- may be sending it. Index: webhook_deliveries_open_pkey (the id begins with the event's time); closed routes by id.
-- ANY (ARRAY[…]) can only be asked of the index: a plain equality could be planned as a walk of the whole index while
-- the table is empty (the planner keeps its order for a merge join), and a prepared plan stays.
WITH chosen AS MATERIALIZED (
    SELECT d.id FROM postrider.webhook_deliveries_open d
    WHERE d.id >= postrider.delivery_id_from(coalesce($1, '-infinity')) AND d.id < postrider.delivery_id_floor($2)
      AND (d.lease_owner IS NULL OR d.next_attempt_at <= (SELECT clock_timestamp()))
    ORDER BY d.id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM postrider.webhook_deliveries_open d USING chosen c WHERE d.id = ANY (ARRAY[c.id])
    RETURNING d.*
), kept AS (
    INSERT INTO postrider.webhook_deliveries_closed
        (id, endpoint_id, event_seq, event_created_at, closed_at, lease_owner, lease_no, last_duration_ms, attempts, replay, last_status,
         open, status, tenant_id, reason, last_error, order_key)
    SELECT g.id, g.endpoint_id, g.event_seq, g.event_created_at, clock_timestamp(), NULL, g.lease_no + 1, g.last_duration_ms, g.attempts, g.replay,
           g.last_status, false, 'exhausted', g.tenant_id, 'body_expired', g.last_error, g.order_key
    FROM gone g
    ON CONFLICT (id, open) DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS closed, (SELECT count(*) FROM kept) AS kept
