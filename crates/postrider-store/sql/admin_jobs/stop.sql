-- Asks a job to stop; one that nobody does yet has stopped with that. Index: jobs_pkey. $1 id, $2 tenant or NULL.
UPDATE postrider.jobs j
SET stop = true, state = CASE j.state WHEN 'queued' THEN 'stopped' ELSE j.state END,
    finished_at = CASE j.state WHEN 'queued' THEN clock_timestamp() END
WHERE j.id = $1 AND ($2 IS NULL OR j.tenant_id = $2) AND j.state IN ('queued', 'running') AND NOT j.stop
RETURNING j.id
