-- Notes how far a job has come, in the transaction that did it; no row: another worker has it. Index: jobs_pkey.
-- $1 job, $2 this worker's incarnation, $3 deliveries made, $4 the seq it has looked to, $5 that event's time, $6 is it done?,
-- $7 for how many seconds it is left alone.
UPDATE postrider.jobs j
SET made = j.made + $3, looked_to = greatest(j.looked_to, $4), looked_at = coalesce($5, j.looked_at),
    owned_until = clock_timestamp() + make_interval(secs => $7),
    state = CASE WHEN j.stop THEN 'stopped' WHEN $6 THEN 'done' ELSE 'running' END,
    finished_at = CASE WHEN j.stop OR $6 THEN clock_timestamp() END
WHERE j.id = $1 AND j.owner = $2 AND j.state = 'running'
RETURNING j.state
