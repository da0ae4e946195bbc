-- Jobs, newest first. Index: jobs_pkey, jobs_tenant. $1 tenant or NULL, $2 one id or NULL, $3 the id to start before, $4 how many.
SELECT j.id, j.tenant_id, j.kind, j.endpoint_id, j.since, j.until, j.wanted, j.rate, j.state, j.expected, j.made, j.looked_at, j.reason, j.error,
       j.stop, j.created_at, j.started_at, j.finished_at
FROM postrider.jobs j
WHERE j.id < $3 AND ($1 IS NULL OR j.tenant_id = $1) AND ($2 IS NULL OR j.id = $2)
ORDER BY j.id DESC
LIMIT $4
