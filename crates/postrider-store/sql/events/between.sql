-- Events in the order of their seq, with their envelopes. Index: webhook_events_pkey of each partition that $3 leaves;
-- webhook_events_pending_pkey, webhook_events_failed_pkey.
-- $1 the seq to start after, $2 the last one, $3 published not before, $4 tenant or NULL, $5 type or NULL, $6 type prefix or NULL, $7 how many.
SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes::text, e.labels, e.ordering_key, e.expires_at, e.envelope,
       e.expires_at <= clock_timestamp() AS expired,
       CASE WHEN EXISTS (SELECT FROM postrider.webhook_events_pending p WHERE p.seq = ANY (ARRAY[e.seq])) THEN 'pending'
            WHEN EXISTS (SELECT FROM postrider.webhook_events_failed f WHERE f.seq = ANY (ARRAY[e.seq])) THEN 'failed' ELSE 'fanned_out' END AS state
FROM postrider.webhook_events e
WHERE e.seq > $1 AND e.seq <= $2 AND e.created_at >= $3
  AND ($4 IS NULL OR e.tenant_id = $4) AND ($5 IS NULL OR e.type = $5) AND ($6 IS NULL OR starts_with(e.type, $6))
ORDER BY e.seq
LIMIT $7
