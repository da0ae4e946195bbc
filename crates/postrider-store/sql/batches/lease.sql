-- Leases deliveries that this transaction has locked, each in its batch or (NULL) by itself. What they send is read by deliveries/bodies.
-- Index: webhook_deliveries_open_pkey.
-- $1 ids, $2 their batches, $3 this worker's incarnation, $4 the lease in seconds.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2) AS i (id, batch_id)
)
UPDATE postrider.webhook_deliveries_open d
SET next_attempt_at = clock_timestamp() + make_interval(secs => $4), lease_owner = $3, lease_no = d.lease_no + 1, batch_id = i.batch_id
FROM input i
WHERE d.id = ANY (ARRAY[i.id])
RETURNING d.id, d.lease_no, d.attempts, d.event_seq, d.event_created_at, d.replay > 0 AS replay
