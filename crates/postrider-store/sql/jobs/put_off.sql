-- Leaves a job to whoever looks after so many seconds: what it waits for is not its own. Index: jobs_pkey.
-- $1 job, $2 this worker's incarnation, $3 seconds.
UPDATE postrider.jobs j SET owned_until = clock_timestamp() + make_interval(secs => $3)
WHERE j.id = $1 AND j.owner = $2 AND j.state = 'running'
