-- Jobs of a tenant, newest first. Index: jobs_tenant. $1 tenant, $2 the id to start before, $3 how many.
SELECT j.id, j.tenant_id, j.kind, j.endpoint_id, j.since, j.until, j.wanted, j.rate, j.state, j.expected, j.made, j.looked_at, j.reason, j.error,
       j.stop, j.created_at, j.started_at, j.finished_at
FROM postrider.jobs j
WHERE j.tenant_id = $1 AND j.id < $2
ORDER BY j.id DESC
LIMIT $3
