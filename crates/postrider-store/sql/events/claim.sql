-- Claims pending events in seq order; the row lock is the lease, so a dead worker's claims go with its session.
-- Index: webhook_events_pending_pkey (walked from $1 on), then webhook_events_pkey and webhook_routing_versions_pkey by key.
-- $1 the seq to start after, $2 how many, $3 and $4 between which times of publishing the bodies are looked for: parameters, so that
-- no other day's partition is opened (220 µs a claim when all were); those of other days are read by bodies.sql.
-- The routing versions come in the same snapshot as the claim.
-- Three kinds of row: a claimed event (created_at, attempts), a body (tenant_id and so on) and a tenant's version. The bodies are
-- one walk of one index for all keys: joined row by row, every event would start over in every partition (5.0 instead of 2.3 µs an
-- event, PostgreSQL 15, 2 cores, 2026-11-21).
WITH claimed AS MATERIALIZED (
    SELECT p.seq, p.created_at, p.attempts
    FROM postrider.webhook_events_pending p
    WHERE p.seq > $1 AND p.next_attempt_at <= clock_timestamp()
    ORDER BY p.seq
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), body AS MATERIALIZED (
    SELECT e.seq, e.tenant_id, e.id, e.type, e.attributes::text, e.labels, e.ordering_key, e.envelope, e.traceparent, e.expires_at
    FROM postrider.webhook_events e
    WHERE e.seq = ANY (ARRAY(SELECT c.seq FROM claimed c))
      AND e.created_at BETWEEN $3 AND $4
)
SELECT c.seq, c.created_at, c.attempts, NULL::text AS tenant_id, NULL::text AS id, NULL::text AS type, NULL::text AS attributes,
       NULL::text[] AS labels, NULL::text AS ordering_key, NULL::text AS envelope, NULL::text AS traceparent,
       NULL::timestamptz AS expires_at, NULL::bigint AS version
FROM claimed c
UNION ALL
SELECT b.seq, NULL, NULL, b.tenant_id, b.id, b.type, b.attributes, b.labels, b.ordering_key, b.envelope, b.traceparent, b.expires_at, NULL
FROM body b
UNION ALL
SELECT NULL, NULL, NULL, v.tenant_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, v.version
FROM postrider.webhook_routing_versions v
WHERE v.tenant_id = ANY (ARRAY(SELECT DISTINCT b.tenant_id FROM body b))
