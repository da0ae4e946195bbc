-- Claims pending events in seq order; the row lock is the lease, so a dead worker's claims go with its session.
-- Index: webhook_events_pending_pkey (walked from $1 on), then webhook_events_pkey and webhook_routing_versions_pkey by key.
-- $1 the seq to start after, $2 how many. The routing version comes in the same snapshot as the claim.
-- ANY (ARRAY[…]) can only be asked of the index: a plain equality could be planned as a walk of the whole index while
-- the table is empty (the planner keeps its order for a merge join), and a prepared plan stays.
WITH claimed AS MATERIALIZED (
    SELECT p.seq, p.created_at, p.attempts
    FROM postrider.webhook_events_pending p
    WHERE p.seq > $1 AND p.next_attempt_at <= clock_timestamp()
    ORDER BY p.seq
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
SELECT c.seq, c.created_at, c.attempts, e.tenant_id, e.id, e.type, e.attributes::text, e.labels, e.ordering_key,
       e.envelope, e.traceparent, e.expires_at, v.version
FROM claimed c
LEFT JOIN postrider.webhook_events e ON e.seq = ANY (ARRAY[c.seq]) AND e.created_at = c.created_at
LEFT JOIN postrider.webhook_routing_versions v ON v.tenant_id = e.tenant_id
ORDER BY c.seq
