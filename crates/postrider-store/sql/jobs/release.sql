-- Gives a job back before its time. Index: jobs_pkey. $1 job, $2 this worker's incarnation.
UPDATE postrider.jobs j SET owned_until = clock_timestamp() WHERE j.id = $1 AND j.owner = $2 AND j.state = 'running'
