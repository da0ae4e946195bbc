-- The next events of a time, in the order of their seq, as far as they are a tenant's; at most $5 are looked at, whoever they are of.
-- Index: webhook_events_pkey of each partition that $2 and $3 leave; webhook_events_pending_pkey, webhook_events_failed_pkey.
-- $1 tenant, $2 not before, $3 before, $4 the seq to start after, $5 how many, $6 are the envelopes needed?
-- Two kinds of row: an event of the tenant, and one without an id: how many were looked at, up to which.
WITH looked AS MATERIALIZED (
    SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes, e.labels, e.ordering_key, CASE WHEN $6 THEN e.envelope END AS envelope
    FROM postrider.webhook_events e
    WHERE e.created_at >= $2 AND e.created_at < $3 AND e.seq > $4
    ORDER BY e.seq
    LIMIT $5
)
SELECT l.seq, l.created_at, l.id, l.type, l.attributes::text, l.labels, l.envelope, l.ordering_key,
       EXISTS (SELECT FROM postrider.webhook_events_pending p WHERE p.seq = ANY (ARRAY[l.seq])) AS pending,
       EXISTS (SELECT FROM postrider.webhook_events_failed f WHERE f.seq = ANY (ARRAY[l.seq])) AS failed, NULL::bigint AS looked
FROM looked l
WHERE l.tenant_id = $1
UNION ALL
SELECT max(l.seq), max(l.created_at), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, count(*) FROM looked l
