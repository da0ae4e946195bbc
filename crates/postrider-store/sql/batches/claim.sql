-- Locks what is due to an endpoint with batches, oldest first, passing over what others have. The same walk as `look`.
-- Index: webhook_deliveries_open_due, webhook_events_pkey, webhook_endpoint_health_pkey.
-- $1 endpoint, $2 how many deliveries, $3 this worker's incarnation.
-- Two kinds of row, which share event_seq: a delivery (id, attempts, waited, batch_id), and the size of an event.
WITH unwell AS MATERIALIZED (
    SELECT FROM postrider.webhook_endpoint_health h
    WHERE h.endpoint_id = $1 AND (h.circuit <> 'closed' OR h.paused_until > clock_timestamp())
      AND h.probe_owner IS DISTINCT FROM $3
), due AS MATERIALIZED (
    SELECT d.id, d.attempts, d.event_seq, d.event_created_at, d.next_attempt_at, d.batch_id
    FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = $1 AND d.next_attempt_at <= (SELECT clock_timestamp()) AND d.order_key IS NULL
      AND NOT EXISTS (SELECT FROM unwell)
    ORDER BY d.next_attempt_at
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT due.event_seq, due.id, due.attempts, extract(epoch FROM (SELECT clock_timestamp()) - due.next_attempt_at)::float8 AS waited, due.batch_id,
       NULL::integer AS id_bytes, NULL::integer AS envelope_bytes, NULL::text AS type, NULL::boolean AS expired
FROM due
UNION ALL
SELECT e.seq, NULL, NULL, NULL, NULL, octet_length(e.id), octet_length(e.envelope), e.type, coalesce(e.expires_at <= (SELECT clock_timestamp()), false)
FROM postrider.webhook_events e
WHERE e.seq = ANY (ARRAY(SELECT due.event_seq FROM due))
  AND e.created_at BETWEEN (SELECT min(due.event_created_at) FROM due) AND (SELECT max(due.event_created_at) FROM due)
