-- One event with its envelope. Index: webhook_events_pkey, webhook_events_pending_pkey, webhook_events_failed_pkey.
-- $1 seq, $2 created_at. No row: retention removed the body.
SELECT e.type, e.attributes, e.labels, e.ordering_key, e.expires_at, e.traceparent, e.envelope,
       CASE WHEN p.seq IS NOT NULL THEN 'pending' WHEN f.seq IS NOT NULL THEN 'failed' ELSE 'fanned_out' END AS state,
       coalesce(f.reason, p.last_error) AS problem
FROM postrider.webhook_events e
LEFT JOIN postrider.webhook_events_pending p ON p.seq = e.seq
LEFT JOIN postrider.webhook_events_failed f ON f.seq = e.seq
WHERE e.seq = $1 AND e.created_at = $2
