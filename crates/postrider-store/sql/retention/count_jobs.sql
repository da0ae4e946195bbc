-- How many jobs ended before $1. Index: jobs_finished.
SELECT count(*) FROM postrider.jobs j WHERE j.finished_at < $1
