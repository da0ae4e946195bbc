-- Events by where they are, in that order. Index: webhook_events_pkey of one partition each, webhook_events_pending_pkey, webhook_events_failed_pkey.
-- $1 seqs, $2 times.
SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes, e.labels, e.ordering_key, e.expires_at,
       CASE WHEN p.seq IS NOT NULL THEN 'pending' WHEN f.seq IS NOT NULL THEN 'failed' ELSE 'fanned_out' END AS state
FROM unnest($1, $2) WITH ORDINALITY AS k (seq, created_at, n)
JOIN postrider.webhook_events e ON e.seq = k.seq AND e.created_at = k.created_at
LEFT JOIN postrider.webhook_events_pending p ON p.seq = e.seq
LEFT JOIN postrider.webhook_events_failed f ON f.seq = e.seq
ORDER BY k.n
