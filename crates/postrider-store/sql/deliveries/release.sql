-- Gives leases back unused: the deliveries are due at once. Index: webhook_deliveries_open_pkey.
-- $1 ids, $2 lease numbers, $3 lease owner.
-- ANY (ARRAY[…]) can only be asked of the index: a plain equality could be planned as a walk of the whole index while
-- the table is empty (the planner keeps its order for a merge join), and a prepared plan stays.
WITH input AS MATERIALIZED (SELECT * FROM unnest($1, $2) AS i (id, lease_no))
UPDATE postrider.webhook_deliveries_open d
SET next_attempt_at = clock_timestamp(), lease_owner = NULL, lease_no = d.lease_no + 1
FROM input i
WHERE d.id = ANY (ARRAY[i.id]) AND d.lease_owner = $3 AND d.lease_no = i.lease_no
