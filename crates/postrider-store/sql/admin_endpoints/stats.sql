-- What became of an endpoint's deliveries, by the time of their events. Reads all of that time.
-- Index: webhook_deliveries_closed_endpoint of each partition that $2 and $3 leave; webhook_deliveries_open_due.
-- $1 endpoint, $2 the lowest id, $3 the id before which to end, $4 hour or day.
SELECT date_trunc($4, x.event_created_at, 'UTC') AS at, x.status, sum(x.deliveries)::bigint AS deliveries, sum(x.attempts)::bigint AS attempts
FROM (
    SELECT d.event_created_at, d.status, 1 AS deliveries, d.attempts
    FROM unnest('{delivered,exhausted,rejected,skipped,expired,cancelled}'::text[]) s
    JOIN postrider.webhook_deliveries_closed d
      ON uuid_hash(d.endpoint_id) = uuid_hash($1) AND hashtext(d.status) = hashtext(s) AND d.endpoint_id = $1 AND d.status = s
    WHERE d.id >= $2 AND d.id < $3
    UNION ALL
    SELECT d.event_created_at, d.status, 1, d.attempts
    FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = $1 AND d.id >= $2 AND d.id < $3
) x
GROUP BY 1, 2
ORDER BY 1, 2
