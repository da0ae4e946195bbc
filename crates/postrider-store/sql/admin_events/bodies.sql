-- What filters look at of the events given. Index: webhook_events_pkey of the days between. $1 seqs, $2 and $3 the first and the last time.
SELECT e.seq, e.id, e.type, e.attributes, e.labels, e.envelope
FROM postrider.webhook_events e
WHERE e.seq = ANY ($1) AND e.created_at BETWEEN $2 AND $3
ORDER BY e.seq DESC
