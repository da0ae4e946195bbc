-- Takes the oldest job that nobody does. Index: jobs_open.
-- A backfill ends at the events of this moment: what comes later finds the endpoint there already. $1 this worker's incarnation, $2 for how many seconds it is left alone.
UPDATE postrider.jobs j
SET state = 'running', owner = $1, owned_until = clock_timestamp() + make_interval(secs => $2), started_at = coalesce(j.started_at, clock_timestamp()),
    until = CASE WHEN j.kind = 'backfill' AND j.started_at IS NULL THEN greatest(clock_timestamp(), j.since) ELSE j.until END
WHERE j.id = (
    SELECT o.id FROM postrider.jobs o
    WHERE o.state IN ('queued', 'running') AND (o.owned_until IS NULL OR o.owned_until < clock_timestamp())
    ORDER BY o.created_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING j.id, j.tenant_id, j.endpoint_id, j.since, j.until, j.wanted, j.rate, j.looked_to, j.stop
