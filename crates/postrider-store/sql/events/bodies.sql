-- Bodies of claimed events that lie outside the days their claim looked at, and the routing versions of their tenants.
-- Index: webhook_events_pkey, webhook_routing_versions_pkey.
-- Two kinds of row, in the columns of claim.sql. The snapshot is newer than the claim's: its versions are no older.
-- $1 seqs, $2 and $3 the first and the last time of their publishing.
WITH body AS MATERIALIZED (
    SELECT e.seq, e.tenant_id, e.id, e.type, e.attributes::text, e.labels, e.ordering_key, e.envelope, e.traceparent, e.expires_at
    FROM postrider.webhook_events e
    WHERE e.seq = ANY ($1) AND e.created_at BETWEEN $2 AND $3
)
SELECT b.seq, NULL::timestamptz AS created_at, NULL::smallint AS attempts, b.tenant_id, b.id, b.type, b.attributes, b.labels, b.ordering_key,
       b.envelope, b.traceparent, b.expires_at, NULL::bigint AS version
FROM body b
UNION ALL
SELECT NULL, NULL, NULL, v.tenant_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, v.version
FROM postrider.webhook_routing_versions v
WHERE v.tenant_id = ANY (ARRAY(SELECT DISTINCT b.tenant_id FROM body b))
