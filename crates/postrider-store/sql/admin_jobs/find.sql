-- One job. Index: jobs_pkey. $1 id.
SELECT j.id, j.tenant_id, j.kind, j.endpoint_id, j.since, j.until, j.wanted, j.rate, j.state, j.expected, j.made, j.looked_at, j.reason, j.error,
       j.stop, j.created_at, j.started_at, j.finished_at
FROM postrider.jobs j
WHERE j.id = $1
