-- Puts failed deliveries back with the time of their next attempt, if their lease still holds; the lease ends here.
-- Index: webhook_deliveries_open_pkey.
-- $1 ids, $2 lease numbers, $3 attempts, $4 HTTP statuses, $5 durations in ms, $6 waits in ms, $7 error classes, $8 lease owner.
-- ANY (ARRAY[…]) can only be asked of the index: a plain equality could be planned as a walk of the whole index while
-- the table is empty (the planner keeps its order for a merge join), and a prepared plan stays.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) AS i (id, lease_no, attempts, last_status, last_duration_ms, wait_ms, last_error)
)
UPDATE postrider.webhook_deliveries_open d
SET next_attempt_at = clock_timestamp() + i.wait_ms * interval '1 millisecond', lease_owner = NULL, lease_no = d.lease_no + 1,
    attempts = i.attempts, last_status = i.last_status, last_duration_ms = i.last_duration_ms, last_error = i.last_error
FROM input i
WHERE d.id = ANY (ARRAY[i.id]) AND d.lease_owner = $8 AND d.lease_no = i.lease_no
