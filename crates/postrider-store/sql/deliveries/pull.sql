-- Leases due deliveries of one endpoint and reads their envelopes: those without order, oldest due first, and of each order key
-- the first one.
-- Index: webhook_deliveries_open_due, webhook_deliveries_open_order, webhook_deliveries_open_pkey, webhook_events_pending_pkey,
-- webhook_events_pkey, webhook_endpoint_health_pkey, webhook_endpoints_pkey, webhook_delivery_batches_endpoint.
-- The clock is a scalar sub-select: volatile, it could not bound the index walk.
-- $1 endpoint, $2 how many of either, $3 this worker's incarnation, $4 the lease in seconds.
-- An ordered delivery waits with next_attempt_at = infinity, out of the walk of what is due, until it is first of its key. `head`
-- is a loose scan: one index probe a key. All of it looks at one snapshot, in which an event that committed before another was
-- published is either pending, or has its delivery, open or closed: so no event of the key is behind, whoever fanned it out.
-- `early` is bounded: what lies beyond waits for the next pull.
-- Three kinds of row: a leased delivery (id, lease_no, attempts, ordered), an event (event_id and so on), which share event_seq,
-- and one without event_seq: ordered, if deliveries wait for the fan-out of events before theirs; not, if the others go in batches. The keys are arrays, so each index is
-- walked once for all of them, and a join could not be planned otherwise while the tables are empty.
WITH RECURSIVE unwell AS MATERIALIZED (
    -- Those of an endpoint that is not well wait in every worker but the one that has its probe.
    SELECT FROM postrider.webhook_endpoint_health h
    WHERE h.endpoint_id = $1 AND (h.circuit <> 'closed' OR h.paused_until > clock_timestamp())
      AND h.probe_owner IS DISTINCT FROM $3
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
), head AS (
    (SELECT d.id, d.tenant_id, d.order_key, d.event_seq, d.next_attempt_at
     FROM postrider.webhook_deliveries_open d
     WHERE d.endpoint_id = $1 AND d.order_key IS NOT NULL
     ORDER BY d.order_key, d.event_seq LIMIT 1)
    UNION ALL
    SELECT n.id, n.tenant_id, n.order_key, n.event_seq, n.next_attempt_at
    FROM head p
    CROSS JOIN LATERAL (
        SELECT d.id, d.tenant_id, d.order_key, d.event_seq, d.next_attempt_at
        FROM postrider.webhook_deliveries_open d
        WHERE d.endpoint_id = $1 AND d.order_key > p.order_key
        ORDER BY d.order_key, d.event_seq LIMIT 1
    ) n
), ready AS MATERIALIZED (
    SELECT h.id, h.tenant_id, h.order_key, h.event_seq FROM head h
    WHERE (h.next_attempt_at <= (SELECT clock_timestamp()) OR h.next_attempt_at = 'infinity') AND NOT EXISTS (SELECT FROM unwell)
), early AS MATERIALIZED (
    SELECT p.seq, p.created_at FROM postrider.webhook_events_pending p
    WHERE p.seq < (SELECT max(r.event_seq) FROM ready r)
    ORDER BY p.seq LIMIT 500
), early_key AS MATERIALIZED (
    SELECT e.seq, e.tenant_id, e.ordering_key FROM postrider.webhook_events e
    WHERE e.seq = ANY (ARRAY(SELECT p.seq FROM early p))
      AND e.created_at BETWEEN (SELECT min(p.created_at) FROM early p) AND (SELECT max(p.created_at) FROM early p)
), first AS MATERIALIZED (
    SELECT r.id, r.event_seq FROM ready r
    WHERE ((SELECT count(*) FROM early) < 500 OR r.event_seq <= (SELECT max(p.seq) FROM early p))
      AND NOT EXISTS (SELECT FROM early_key k WHERE k.seq < r.event_seq AND k.tenant_id = r.tenant_id
                        AND (k.ordering_key = r.order_key OR r.order_key = ''))
), locked AS MATERIALIZED (
    SELECT d.id FROM postrider.webhook_deliveries_open d
    WHERE d.id = ANY (ARRAY(SELECT f.id FROM first f ORDER BY f.event_seq LIMIT $2))
      AND (d.next_attempt_at <= (SELECT clock_timestamp()) OR d.next_attempt_at = 'infinity')
    FOR NO KEY UPDATE SKIP LOCKED
), leased AS MATERIALIZED (
    UPDATE postrider.webhook_deliveries_open d
    SET next_attempt_at = clock_timestamp() + make_interval(secs => $4), lease_owner = $3, lease_no = d.lease_no + 1
    WHERE d.id = ANY (ARRAY(SELECT due.id FROM due UNION ALL SELECT l.id FROM locked l))
    RETURNING d.id, d.lease_no, d.attempts, d.event_seq, d.event_created_at, d.order_key IS NOT NULL AS ordered
)
SELECT l.event_seq, l.id, l.lease_no, l.attempts, NULL::text AS event_id, NULL::text AS envelope, NULL::text AS traceparent,
       NULL::timestamptz AS expires_at, l.ordered
FROM leased l
UNION ALL
SELECT e.seq, NULL, NULL, NULL, e.id, e.envelope, e.traceparent, e.expires_at, NULL
FROM postrider.webhook_events e
WHERE e.seq = ANY (ARRAY(SELECT l.event_seq FROM leased l))
  AND e.created_at BETWEEN (SELECT min(l.event_created_at) FROM leased l) AND (SELECT max(l.event_created_at) FROM leased l)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true
WHERE (SELECT count(*) FROM ready) > (SELECT count(*) FROM first)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false
WHERE EXISTS (SELECT FROM batching)
