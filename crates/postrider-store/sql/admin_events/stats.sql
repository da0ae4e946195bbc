-- How many events there were, by what. Reads all events of that time. Index: webhook_events_pkey of each partition that $4 and $5 leave.
-- $1 tenant or NULL, $2 type or NULL, $3 type prefix or NULL, $4 not before, $5 before; by what to group: $6 type, day, attribute or data, with $7 the
-- attribute and $8 the path in data; whom to tell apart: $9 NULL, distinct_id, attribute or data, with $10 and $11 likewise; $12 how many groups.
SELECT g.key, sum(g.events)::bigint AS events, count(g.who) AS who
FROM (
    SELECT x.key, x.who, count(*) AS events
    FROM (
        SELECT CASE $6 WHEN 'type' THEN e.type
                       WHEN 'day' THEN to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
                       WHEN 'attribute' THEN e.attributes ->> $7
                       ELSE postrider.event_field_v1(e.envelope, $8) END AS key,
               CASE $9 WHEN 'distinct_id' THEN postrider.distinct_id_v1(e.attributes, e.envelope)
                       WHEN 'attribute' THEN e.attributes ->> $10
                       WHEN 'data' THEN postrider.event_field_v1(e.envelope, $11) END AS who
        FROM postrider.webhook_events e
        WHERE e.created_at >= $4 AND e.created_at < $5 AND $1 IS NULL
              AND ($2 IS NULL OR e.type = $2) AND ($3 IS NULL OR starts_with(e.type, $3))
    ) x
    GROUP BY x.key, x.who
) g
GROUP BY g.key
ORDER BY CASE WHEN $6 = 'day' THEN g.key END, sum(g.events) DESC, g.key
LIMIT $12
