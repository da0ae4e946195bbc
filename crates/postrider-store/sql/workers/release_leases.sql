-- Makes up to $3 leases of a dead worker due again, in the transaction that re-tests its death.
-- Index: webhook_deliveries_open_due: leases lie in the future by at most the lease time ($2 seconds), so only that slice
-- of each endpoint is read, never a backlog or the far retries.
-- $1 the dead worker's incarnation.
-- ANY (ARRAY[…]) can only be asked of the index: a plain equality could be planned as a walk of the whole index while
-- the table is empty (the planner keeps its order for a merge join), and a prepared plan stays.
WITH RECURSIVE endpoint AS (
    (SELECT d.endpoint_id FROM postrider.webhook_deliveries_open d ORDER BY d.endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.endpoint_id
    FROM endpoint p
    CROSS JOIN LATERAL (
        SELECT d.endpoint_id FROM postrider.webhook_deliveries_open d WHERE d.endpoint_id > p.endpoint_id ORDER BY d.endpoint_id LIMIT 1
    ) n
), leased AS MATERIALIZED (
    SELECT d.id
    FROM endpoint p
    CROSS JOIN LATERAL (
        SELECT x.id FROM postrider.webhook_deliveries_open x
        WHERE x.endpoint_id = p.endpoint_id AND x.lease_owner = $1
          AND x.next_attempt_at > (SELECT clock_timestamp())
          AND x.next_attempt_at <= (SELECT clock_timestamp() + make_interval(secs => $2))
        LIMIT $3
    ) d
    LIMIT $3
), locked AS MATERIALIZED (
    SELECT d.id FROM postrider.webhook_deliveries_open d JOIN leased l ON d.id = ANY (ARRAY[l.id])
    FOR NO KEY UPDATE OF d SKIP LOCKED
)
UPDATE postrider.webhook_deliveries_open d
SET next_attempt_at = clock_timestamp(), lease_owner = NULL, lease_no = d.lease_no + 1
FROM locked l
WHERE d.id = ANY (ARRAY[l.id]) AND d.lease_owner = $1
