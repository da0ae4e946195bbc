-- Closes up to $3 open deliveries of events of [$1, $2) as exhausted, since their bodies go, and says so by delivery.exhausted as
-- the recorder does (tell_exhausted), in the same transaction. What is leased stays: its worker may be sending it.
-- Index: webhook_deliveries_open_pkey (the id begins with the event's time), webhook_events_pkey; closed routes by id.
-- Where one had an order key, workers are told to look for what has its turn by now.
-- $4 the types of operator events: what becomes of those is not told. $5 the channel on which workers are told.
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
         open, status, tenant_id, reason, last_error, order_key, batch_id)
    SELECT g.id, g.endpoint_id, g.event_seq, g.event_created_at, clock_timestamp(), NULL, g.lease_no + 1, g.last_duration_ms, g.attempts, g.replay,
           g.last_status, false, 'exhausted', g.tenant_id, 'body_expired', g.last_error, g.order_key, g.batch_id
    FROM gone g
    ON CONFLICT (id, open) DO NOTHING
    RETURNING id, tenant_id, endpoint_id, event_seq, event_created_at, attempts, reason, last_status, last_error
), told AS MATERIALIZED (
    SELECT postrider.publish_operator_v1(
        k.tenant_id, postrider.event_id_v1('delivery.exhausted', ARRAY[k.id::text]), 'delivery.exhausted',
        json_build_object('delivery_id', 'whd_' || replace(k.id::text, '-', ''), 'endpoint_id', postrider.endpoint_text_v1(k.endpoint_id),
                          'event_id', e.id, 'event_type', e.type, 'attempts', k.attempts, 'reason', k.reason,
                          'last_status', k.last_status, 'last_error', k.last_error),
        k.endpoint_id)
    FROM kept k
    LEFT JOIN LATERAL (
        SELECT b.id, b.type FROM postrider.webhook_events b WHERE b.seq = ANY (ARRAY[k.event_seq]) AND b.created_at = ANY (ARRAY[k.event_created_at])
    ) e ON true
    WHERE (e.type = ANY ($4)) IS NOT TRUE
)
SELECT (SELECT count(*) FROM gone) AS closed, (SELECT count(*) FROM kept) AS kept, (SELECT count(*) FROM told) AS told,
       (SELECT pg_notify($5, '') WHERE EXISTS (SELECT FROM gone g WHERE g.order_key IS NOT NULL)) AS knocked
