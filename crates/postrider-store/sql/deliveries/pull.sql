-- Leases due deliveries of one endpoint, oldest due first, and reads their envelopes.
-- Index: webhook_deliveries_open_due, webhook_deliveries_open_pkey, webhook_events_pkey, webhook_endpoint_health_pkey.
-- The clock is a scalar sub-select: volatile, it could not bound the index walk.
-- $1 endpoint, $2 how many, $3 this worker's incarnation, $4 the lease in seconds.
-- Two kinds of row: a leased delivery (id, lease_no, attempts) and an event (event_id and so on), which share event_seq. The keys are
-- arrays, so each index is walked once for all of them, and a join could not be planned otherwise while the tables are empty.
WITH due AS MATERIALIZED (
    SELECT d.id
    FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = $1 AND d.next_attempt_at <= (SELECT clock_timestamp())
      -- Those of an endpoint that is not well wait in every worker but the one that has its probe.
      AND NOT EXISTS (SELECT FROM postrider.webhook_endpoint_health h
                      WHERE h.endpoint_id = $1 AND (h.circuit <> 'closed' OR h.paused_until > clock_timestamp())
                        AND h.probe_owner IS DISTINCT FROM $3)
    ORDER BY d.next_attempt_at
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
), leased AS MATERIALIZED (
    UPDATE postrider.webhook_deliveries_open d
    SET next_attempt_at = clock_timestamp() + make_interval(secs => $4), lease_owner = $3, lease_no = d.lease_no + 1
    WHERE d.id = ANY (ARRAY(SELECT due.id FROM due))
    RETURNING d.id, d.lease_no, d.attempts, d.event_seq, d.event_created_at
)
SELECT l.event_seq, l.id, l.lease_no, l.attempts, NULL::text AS event_id, NULL::text AS envelope, NULL::text AS traceparent,
       NULL::timestamptz AS expires_at
FROM leased l
UNION ALL
SELECT e.seq, NULL, NULL, NULL, e.id, e.envelope, e.traceparent, e.expires_at
FROM postrider.webhook_events e
WHERE e.seq = ANY (ARRAY(SELECT l.event_seq FROM leased l))
  AND e.created_at BETWEEN (SELECT min(l.event_created_at) FROM leased l) AND (SELECT max(l.event_created_at) FROM leased l)
