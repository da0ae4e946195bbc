-- Where deliveries are, newest first, found among all of them: for whoever has many of the newest.
-- Index: the primary key of webhook_deliveries_open and of each closed partition that $3 leaves, walked backwards.
-- Looks at $5 at most; the last of these is named too, whether it is wanted or not, and says so.
-- $1 endpoint or NULL, $2 status or NULL, $3 the lowest id, $4 the id to start before, $6 how many to find, $7 tenant or NULL.
SELECT x.id, x.event_seq, x.wanted, x.looked_at = $5 AS is_last
FROM (
    SELECT y.id, y.event_seq, ($1 IS NULL OR y.endpoint_id = $1) AND ($7 IS NULL OR y.tenant_id = $7) AND ($2 IS NULL OR y.status = $2) AS wanted,
           row_number() OVER (ORDER BY y.id DESC) AS looked_at
    FROM (
        SELECT d.id, d.event_seq, d.endpoint_id, d.tenant_id, d.status
        FROM postrider.webhook_deliveries d
        WHERE d.id >= $3 AND d.id < $4
        ORDER BY d.id DESC
        LIMIT $5
    ) y
) x
WHERE x.wanted OR x.looked_at = $5
ORDER BY x.id DESC
LIMIT $6
