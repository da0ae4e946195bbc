-- Where the closed deliveries of an endpoint are, those of the newest events first.
-- Index: webhook_deliveries_closed_endpoint of each partition that $3 leaves.
-- $1 endpoint, $2 statuses, $3 the lowest id, $4 the lowest seq of an event, $5 and $6 the seq of the event and the id to start before, $7 how many,
-- $8 tenant or NULL.
SELECT f.id, f.event_seq
FROM unnest($2) s (status)
CROSS JOIN LATERAL (
    SELECT d.id, d.event_seq, (d.event_seq >> 12)::integer AS bucket
    FROM postrider.webhook_deliveries_closed d
    WHERE uuid_hash(d.endpoint_id) = uuid_hash($1) AND hashtext(d.status) = hashtext(s.status)
          AND (d.event_seq >> 12)::integer >= ($4 >> 12)::integer AND (d.event_seq >> 12)::integer <= ($5 >> 12)::integer
          AND d.endpoint_id = $1 AND ($8 IS NULL OR d.tenant_id = $8) AND d.status = s.status AND d.id >= $3
          AND ((d.event_seq >> 12)::integer < ($5 >> 12)::integer OR d.id < $6)
    ORDER BY (d.event_seq >> 12)::integer DESC, d.id DESC
    LIMIT $7
) f
ORDER BY f.bucket DESC, f.id DESC
LIMIT $7
