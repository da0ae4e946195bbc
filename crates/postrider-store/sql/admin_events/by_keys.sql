-- Events by where they are, in that order. Index: webhook_events_pkey of one partition each, webhook_events_pending_pkey, webhook_events_failed_pkey.
-- $1 seqs, $2 times.
SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes, e.labels, e.ordering_key, e.expires_at,
       CASE WHEN (SELECT true FROM postrider.webhook_events_pending p WHERE p.seq = e.seq) THEN 'pending'
            WHEN (SELECT true FROM postrider.webhook_events_failed f WHERE f.seq = e.seq) THEN 'failed'
            ELSE 'fanned_out' END AS state
FROM unnest($1, $2) WITH ORDINALITY AS k (seq, created_at, n)
CROSS JOIN LATERAL (SELECT o.* FROM postrider.webhook_events o WHERE o.seq = k.seq AND o.created_at = k.created_at LIMIT 1) e
ORDER BY k.n
