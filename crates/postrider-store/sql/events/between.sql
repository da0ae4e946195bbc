-- Events in the order of their seq, with their envelopes. Index: webhook_events_pkey of each partition that $3 leaves.
-- $1 the seq to start after, $2 the last one, $3 published not before, $4 tenant or NULL, $5 type or NULL, $6 type prefix or NULL, $7 how many.
SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes::text, e.labels, e.ordering_key, e.expires_at, e.envelope,
       e.expires_at <= clock_timestamp() AS expired
FROM postrider.webhook_events e
WHERE e.seq > $1 AND e.seq <= $2 AND e.created_at >= $3
  AND ($4 IS NULL OR e.tenant_id = $4) AND ($5 IS NULL OR e.type = $5) AND ($6 IS NULL OR starts_with(e.type, $6))
ORDER BY e.seq
LIMIT $7
