-- What has to be known of events to form a batch of them; no row where the body is gone. The times are parameters, so that no other day's
-- partition is opened. Index: webhook_events_pkey of their days.
-- $1 seqs, $2 $3 the first and the last of their times.
SELECT e.seq, octet_length(e.id) AS id_bytes, octet_length(e.envelope) AS envelope_bytes, e.type,
       coalesce(e.expires_at <= (SELECT clock_timestamp()), false) AS expired
FROM postrider.webhook_events e
WHERE e.seq = ANY ($1) AND e.created_at BETWEEN $2 AND $3
