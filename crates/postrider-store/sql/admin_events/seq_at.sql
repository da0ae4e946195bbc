-- About which seq was the first at a time: events are numbered and timed at the same moment, or nearly. NULL: nothing is known of that day.
-- Index: webhook_events_pkey of one partition, a probe for each halving. $1 the time.
WITH RECURSIVE ends AS MATERIALIZED (
    SELECT (SELECT e.seq FROM postrider.webhook_events e
            WHERE e.created_at >= date_trunc('day', $1, 'UTC') AND e.created_at < date_trunc('day', $1, 'UTC') + interval '1 day'
            ORDER BY e.seq LIMIT 1) AS lo,
           (SELECT e.seq FROM postrider.webhook_events e
            WHERE e.created_at >= date_trunc('day', $1, 'UTC') AND e.created_at < date_trunc('day', $1, 'UTC') + interval '1 day'
            ORDER BY e.seq DESC LIMIT 1) + 1 AS hi
), halving (lo, hi) AS (
    SELECT n.lo, n.hi FROM ends n
    UNION ALL
    SELECT CASE WHEN m.is_later THEN h.lo ELSE h.lo + (h.hi - h.lo) / 2 + 1 END, CASE WHEN m.is_later THEN h.lo + (h.hi - h.lo) / 2 ELSE h.hi END
    FROM halving h
    CROSS JOIN LATERAL (
        SELECT e.created_at >= $1 AS is_later
        FROM postrider.webhook_events e
        WHERE e.created_at >= date_trunc('day', $1, 'UTC') AND e.created_at < date_trunc('day', $1, 'UTC') + interval '1 day'
              AND e.seq >= h.lo + (h.hi - h.lo) / 2
        ORDER BY e.seq
        LIMIT 1
    ) m
    WHERE h.lo < h.hi
)
SELECT h.lo FROM halving h WHERE h.lo >= h.hi LIMIT 1
