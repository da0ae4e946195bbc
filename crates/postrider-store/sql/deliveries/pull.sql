-- Leases due deliveries of one endpoint that have no order, oldest due first, and says how the others go.
-- Index: webhook_deliveries_open_due, webhook_deliveries_open_pkey, webhook_deliveries_open_order, webhook_endpoint_health_pkey,
-- webhook_endpoints_paused, webhook_endpoints_pkey, webhook_delivery_batches_endpoint.
-- The clock is a scalar sub-select: volatile, it could not bound the index walk. The envelopes are read by bodies.sql in the same
-- transaction: a statement that joins them opens every day's partition (200 µs a pull).
-- $1 endpoint, $2 how many, $3 this worker's incarnation, $4 the lease in seconds.
-- Two kinds of row: a leased delivery, and one without id: whether some have an order, and whether the others go in batches.
WITH unwell AS MATERIALIZED (
    -- Those of an endpoint that is not well wait in every worker but the one that has its probe.
    SELECT FROM postrider.webhook_endpoint_health h
    WHERE h.endpoint_id = $1 AND (h.circuit <> 'closed' OR h.paused_until > clock_timestamp())
      AND h.probe_owner IS DISTINCT FROM $3
    UNION ALL
    -- Those of one that somebody paused wait everywhere.
    SELECT FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.paused_at IS NOT NULL AND e.enabled
), batching AS MATERIALIZED (
    -- It asks for batches, or some are left from when it did: then what has no order is for the statements of batches.
    SELECT FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.batch_max_events IS NOT NULL
    UNION ALL
    SELECT FROM postrider.webhook_delivery_batches b WHERE b.endpoint_id = $1
    LIMIT 1
), due AS MATERIALIZED (
    SELECT d.id
    FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = $1 AND d.next_attempt_at <= (SELECT clock_timestamp()) AND d.order_key IS NULL
      AND NOT EXISTS (SELECT FROM unwell) AND NOT EXISTS (SELECT FROM batching)
    ORDER BY d.next_attempt_at
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
), leased AS MATERIALIZED (
    UPDATE postrider.webhook_deliveries_open d
    SET next_attempt_at = clock_timestamp() + make_interval(secs => $4), lease_owner = $3, lease_no = d.lease_no + 1
    WHERE d.id = ANY (ARRAY(SELECT due.id FROM due))
    RETURNING d.id, d.lease_no, d.attempts, d.event_seq, d.event_created_at, d.replay > 0 AS replay
)
SELECT l.id, l.lease_no, l.attempts, l.event_seq, l.event_created_at, NULL::boolean AS ordered, NULL::boolean AS batching, l.replay
FROM leased l
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL,
       EXISTS (SELECT FROM postrider.webhook_deliveries_open d WHERE d.endpoint_id = $1 AND d.order_key IS NOT NULL),
       EXISTS (SELECT FROM batching), NULL
