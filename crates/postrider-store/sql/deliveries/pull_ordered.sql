-- Leases of each order key of one endpoint the first delivery, if it is due. For endpoints of which pull.sql says that some have an order.
-- Index: webhook_deliveries_open_order, webhook_deliveries_open_pkey, webhook_events_pending_pkey, webhook_events_pkey,
-- webhook_endpoint_health_pkey, webhook_endpoints_paused.
-- $1 endpoint, $2 how many, $3 this worker's incarnation, $4 the lease in seconds.
-- An ordered delivery waits with next_attempt_at = infinity, out of the walk of what is due, until it is first of its key. `head`
-- is a loose scan: one index probe a key. All of it looks at one snapshot, in which an event that committed before another was
-- published is either pending, or has its delivery, open or closed: so no event of the key is behind, whoever fanned it out.
-- `early` is bounded: what lies beyond waits for the next pull.
-- Two kinds of row: a leased delivery, and one without id if deliveries wait for the fan-out of events before theirs. The keys are
-- arrays, so each index is walked once for all of them, and a join could not be planned otherwise while the tables are empty.
WITH RECURSIVE unwell AS MATERIALIZED (
    -- Those of an endpoint that is not well wait in every worker but the one that has its probe.
    SELECT FROM postrider.webhook_endpoint_health h
    WHERE h.endpoint_id = $1 AND (h.circuit <> 'closed' OR h.paused_until > clock_timestamp())
      AND h.probe_owner IS DISTINCT FROM $3
    UNION ALL
    -- Those of one that somebody paused wait everywhere.
    SELECT FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.paused_at IS NOT NULL AND e.enabled
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
    WHERE d.id = ANY (ARRAY(SELECT l.id FROM locked l))
    RETURNING d.id, d.lease_no, d.attempts, d.event_seq, d.event_created_at
)
SELECT l.id, l.lease_no, l.attempts, l.event_seq, l.event_created_at
FROM leased l
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL
WHERE (SELECT count(*) FROM ready) > (SELECT count(*) FROM first)
