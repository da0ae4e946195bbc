-- Leases due deliveries of one endpoint, oldest due first, and reads their envelopes.
-- Index: webhook_deliveries_open_due, webhook_deliveries_open_pkey, webhook_events_pkey.
-- The clock is a scalar sub-select: volatile, it could not bound the index walk.
-- $1 endpoint, $2 how many, $3 this worker's incarnation, $4 the lease in seconds.
-- ANY (ARRAY[…]) can only be asked of the index: a plain equality could be planned as a walk of the whole index while
-- the table is empty (the planner keeps its order for a merge join), and a prepared plan stays.
WITH due AS MATERIALIZED (
    SELECT d.id
    FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = $1 AND d.next_attempt_at <= (SELECT clock_timestamp())
    ORDER BY d.next_attempt_at
    LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED
), leased AS MATERIALIZED (
    UPDATE postrider.webhook_deliveries_open d
    SET next_attempt_at = clock_timestamp() + make_interval(secs => $4), lease_owner = $3, lease_no = d.lease_no + 1
    FROM due
    WHERE d.id = ANY (ARRAY[due.id])
    RETURNING d.id, d.lease_no, d.attempts, d.event_seq, d.event_created_at
)
SELECT l.id, l.lease_no, l.attempts, l.event_seq, e.id AS event_id, e.envelope, e.traceparent, e.expires_at
FROM leased l
LEFT JOIN postrider.webhook_events e ON e.seq = ANY (ARRAY[l.event_seq]) AND e.created_at = l.event_created_at
ORDER BY l.event_seq
