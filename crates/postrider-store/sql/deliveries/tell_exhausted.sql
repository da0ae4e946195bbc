-- Publishes delivery.exhausted for what this worker has just closed so, in the same transaction. The events' ids come from the
-- deliveries', so none is told of twice. Operator events that exhaust are not told of. Index: webhook_deliveries_closed_pkey, webhook_events_pkey.
-- $1 ids, $2 lease owner, $3 the types of operator events.
WITH closed AS MATERIALIZED (
    SELECT c.* FROM postrider.webhook_deliveries_closed c
    WHERE c.id = ANY ($1) AND c.lease_owner = $2 AND c.status = 'exhausted'
)
SELECT postrider.publish_operator_v1(
    c.tenant_id, postrider.event_id_v1('delivery.exhausted', ARRAY[c.id::text]), 'delivery.exhausted',
    json_build_object('delivery_id', 'whd_' || replace(c.id::text, '-', ''), 'endpoint_id', postrider.endpoint_text_v1(c.endpoint_id),
                      'event_id', e.id, 'event_type', e.type, 'attempts', c.attempts, 'reason', c.reason,
                      'last_status', c.last_status, 'last_error', c.last_error),
    c.endpoint_id)
FROM closed c
LEFT JOIN LATERAL (
    SELECT b.id, b.type FROM postrider.webhook_events b WHERE b.seq = ANY (ARRAY[c.event_seq]) AND b.created_at = ANY (ARRAY[c.event_created_at])
) e ON true
WHERE (e.type = ANY ($3)) IS NOT TRUE
