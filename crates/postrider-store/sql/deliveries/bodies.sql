-- What leased deliveries send. Index: webhook_events_pkey.
-- $1 seqs of their events, $2 and $3 the first and the last time of their publishing: parameters, so that no other day's partition is
-- opened.
SELECT e.seq, e.id, e.envelope, e.traceparent, e.expires_at
FROM postrider.webhook_events e
WHERE e.seq = ANY ($1) AND e.created_at BETWEEN $2 AND $3
