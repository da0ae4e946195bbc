-- Leases deliveries that this transaction has locked, each in its batch or (NULL) by itself, and reads their envelopes.
-- Index: webhook_deliveries_open_pkey, webhook_events_pkey.
-- $1 ids, $2 their batches, $3 this worker's incarnation, $4 the lease in seconds.
-- Two kinds of row, which share event_seq: a leased delivery (id, lease_no, attempts), and an event.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2) AS i (id, batch_id)
), leased AS MATERIALIZED (
    UPDATE postrider.webhook_deliveries_open d
    SET next_attempt_at = clock_timestamp() + make_interval(secs => $4), lease_owner = $3, lease_no = d.lease_no + 1, batch_id = i.batch_id
    FROM input i
    WHERE d.id = ANY (ARRAY[i.id])
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
