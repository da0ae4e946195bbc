-- Events, newest first. Only the newest $7 in the window are looked at, so that a filter that matches nothing ends too.
-- Index: webhook_events_pkey of each partition that $3 leaves, walked backwards; webhook_events_pending_pkey, webhook_events_failed_pkey.
-- $1 tenant or NULL, $2 type or NULL, $3 not older than, $4 the seq to start before, $5 how many, $6 type prefix or NULL.
SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes, e.labels, e.ordering_key, e.expires_at,
       CASE WHEN p.seq IS NOT NULL THEN 'pending' WHEN f.seq IS NOT NULL THEN 'failed' ELSE 'fanned_out' END AS state
FROM (
    SELECT x.seq, x.created_at, x.tenant_id, x.id, x.type, x.attributes, x.labels, x.ordering_key, x.expires_at
    FROM (
        SELECT n.seq, n.created_at, n.tenant_id, n.id, n.type, n.attributes, n.labels, n.ordering_key, n.expires_at
        FROM postrider.webhook_events n
        WHERE n.created_at >= $3 AND n.seq < $4
        ORDER BY n.seq DESC
        LIMIT $7
    ) x
    WHERE ($1 IS NULL OR x.tenant_id = $1) AND ($2 IS NULL OR x.type = $2) AND ($6 IS NULL OR starts_with(x.type, $6))
    ORDER BY x.seq DESC
    LIMIT $5
) e
LEFT JOIN postrider.webhook_events_pending p ON p.seq = e.seq
LEFT JOIN postrider.webhook_events_failed f ON f.seq = e.seq
ORDER BY e.seq DESC
