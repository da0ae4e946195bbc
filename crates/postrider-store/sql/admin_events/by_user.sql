-- Where events of one tenant and user are, newest first. Index: webhook_events_user of each partition that $8 and $9 leave.
-- Looks at $12 of them at most; the last of these is named too, whether it is wanted or not, and says so.
-- $1 tenant, $2 type, $3 type prefix, $4 user, $5 attributes, $6 label, $7 state, each or NULL; $8 not before, $9 before; $10 and $11 the seqs
-- between which to look; $12 how many to look at, $13 how many to find.
SELECT x.seq, x.created_at, x.wanted, x.looked_at = $12 AS is_last
FROM (
    SELECT y.bucket, y.seq, y.created_at, row_number() OVER (ORDER BY y.bucket DESC, y.seq DESC) AS looked_at,
           y.created_at >= $8 AND y.created_at < $9
               AND ($2 IS NULL OR y.type = $2) AND ($3 IS NULL OR starts_with(y.type, $3))
               AND ($4 IS NULL OR coalesce(postrider.distinct_id_v1(y.attributes, y.envelope) = $4, false))
               AND ($5 IS NULL OR NOT EXISTS (SELECT FROM jsonb_each_text($5) a WHERE (y.attributes ->> a.key) IS DISTINCT FROM a.value))
               AND ($6 IS NULL OR coalesce($6 = ANY (y.labels), false))
               AND ($7 IS NULL OR $7 = CASE WHEN (SELECT true FROM postrider.webhook_events_pending p WHERE p.seq = y.seq) THEN 'pending'
                                            WHEN (SELECT true FROM postrider.webhook_events_failed f WHERE f.seq = y.seq) THEN 'failed'
                                            ELSE 'fanned_out' END) AS wanted
    FROM (
        SELECT (n.seq >> 12)::integer AS bucket, n.seq, n.created_at, n.type, n.attributes, n.labels, n.envelope
        FROM postrider.webhook_events n
        WHERE (n.attributes ? 'user_id' OR strpos(n.envelope, '"distinct_id"') > 0)
              AND hashtext(n.tenant_id || '/' || postrider.distinct_id_v1(n.attributes, n.envelope)) = hashtext($1 || '/' || $4) AND n.tenant_id = $1
              AND n.created_at >= date_trunc('day', $8, 'UTC') AND n.created_at < date_trunc('day', $9, 'UTC') + interval '1 day'
              AND (n.seq >> 12)::integer >= ($10 >> 12)::integer AND (n.seq >> 12)::integer <= ($11 >> 12)::integer AND n.seq > $10 AND n.seq < $11
        ORDER BY (n.seq >> 12)::integer DESC, n.seq DESC
        LIMIT $12
    ) y
) x
WHERE x.wanted OR x.looked_at = $12
ORDER BY x.bucket DESC, x.seq DESC
LIMIT $13
