-- What is due to an endpoint with batches, and what it asks for. Locks nothing.
-- Index: webhook_deliveries_open_due, webhook_endpoints_pkey, webhook_endpoint_health_pkey, webhook_delivery_batches_pkey,
-- webhook_delivery_batches_endpoint, webhook_deliveries_open_order, webhook_endpoints_paused.
-- $1 endpoint, $2 how many deliveries, $3 this worker's incarnation.
-- Two kinds of row: a delivery (id, attempts, waited, batch_id, event_seq, event_created_at); and one without an id about the endpoint,
-- whether it is there or not.
WITH unwell AS MATERIALIZED (
    SELECT FROM postrider.webhook_endpoint_health h
    WHERE h.endpoint_id = $1 AND (h.circuit <> 'closed' OR h.paused_until > clock_timestamp())
      AND h.probe_owner IS DISTINCT FROM $3
    UNION ALL
    -- Those of one that somebody paused wait everywhere.
    SELECT FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.paused_at IS NOT NULL AND e.enabled
), due AS MATERIALIZED (
    SELECT d.id, d.attempts, d.event_seq, d.event_created_at, d.next_attempt_at, d.batch_id, d.replay > 0 AS replay
    FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = $1 AND d.next_attempt_at <= (SELECT clock_timestamp()) AND d.order_key IS NULL
      AND NOT EXISTS (SELECT FROM unwell)
    ORDER BY d.next_attempt_at
    LIMIT $2
)
SELECT due.id, due.attempts, extract(epoch FROM (SELECT clock_timestamp()) - due.next_attempt_at)::float8 AS waited, due.batch_id,
       due.event_seq, due.event_created_at, due.replay,
       NULL::text AS tenant_id, NULL::text AS format, NULL::smallint AS max_events, NULL::integer AS max_wait_ms, NULL::integer AS max_bytes,
       NULL::text AS encoding, NULL::boolean AS ordered, NULL::boolean AS batched, NULL::float8 AS next_due
FROM due
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       e.tenant_id, e.format, e.batch_max_events, e.batch_max_wait_ms, e.batch_max_bytes, e.batch_encoding,
       EXISTS (SELECT FROM postrider.webhook_deliveries_open d WHERE d.endpoint_id = $1 AND d.order_key IS NOT NULL),
       -- By the endpoint only where it asks for none any more: one that does has left many dead entries there.
       CASE WHEN e.batch_max_events IS NULL THEN EXISTS (SELECT FROM postrider.webhook_delivery_batches b WHERE b.endpoint_id = $1)
            ELSE EXISTS (SELECT FROM postrider.webhook_delivery_batches b
                         WHERE b.id = ANY (ARRAY(SELECT due.batch_id FROM due WHERE due.batch_id IS NOT NULL))) END,
       (SELECT extract(epoch FROM d.next_attempt_at - (SELECT clock_timestamp()))::float8 FROM postrider.webhook_deliveries_open d
        WHERE d.endpoint_id = $1 AND d.next_attempt_at > (SELECT clock_timestamp()) AND d.next_attempt_at < 'infinity'
        ORDER BY d.next_attempt_at LIMIT 1)
FROM (SELECT) one LEFT JOIN postrider.webhook_endpoints e ON e.id = $1
