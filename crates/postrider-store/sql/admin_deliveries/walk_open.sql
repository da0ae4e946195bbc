-- Where open deliveries are, newest first, found among all of them: for whoever has many.
-- Index: webhook_deliveries_open_pkey, walked backwards.
-- Looks at $4 at most; the last of these is named too, whether it is wanted or not, and says so.
-- $1 endpoint or NULL, $2 the lowest id, $3 the id to start before, $5 how many to find, $6 tenant or NULL.
SELECT x.id, x.event_seq, x.wanted, x.looked_at = $4 AS is_last
FROM (
    SELECT y.id, y.event_seq, ($1 IS NULL OR y.endpoint_id = $1) AND ($6 IS NULL OR y.tenant_id = $6) AS wanted,
           row_number() OVER (ORDER BY y.id DESC) AS looked_at
    FROM (
        SELECT d.id, d.event_seq, d.endpoint_id, d.tenant_id
        FROM postrider.webhook_deliveries_open d
        WHERE d.id >= $2 AND d.id < $3
        ORDER BY d.id DESC
        LIMIT $4
    ) y
) x
WHERE x.wanted OR x.looked_at = $4
ORDER BY x.id DESC
LIMIT $5
