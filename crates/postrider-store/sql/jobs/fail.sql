-- Ends a job that cannot go on. Index: jobs_pkey. $1 job, $2 this worker's incarnation, $3 why.
UPDATE postrider.jobs j SET state = 'failed', error = $3, finished_at = clock_timestamp()
WHERE j.id = $1 AND j.owner = $2 AND j.state = 'running'
