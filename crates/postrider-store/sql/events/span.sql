-- The next events by their seq, whoever they are of: which is the last of at most $4, and how many they are.
-- Index: webhook_events_pkey of each partition that $3 leaves. $1 the seq to start after, $2 the last one, $3 published not before, $4 how many.
SELECT max(n.seq) AS last, count(*) AS events
FROM (
    SELECT e.seq FROM postrider.webhook_events e
    WHERE e.seq > $1 AND e.seq <= $2 AND e.created_at >= $3
    ORDER BY e.seq
    LIMIT $4
) n
