-- Deletes up to $2 jobs that ended before $1, oldest first. Index: jobs_finished, jobs_pkey.
WITH gone AS (
    DELETE FROM postrider.jobs j
    WHERE j.id = ANY (ARRAY(SELECT o.id FROM postrider.jobs o WHERE o.finished_at < $1 ORDER BY o.finished_at LIMIT $2))
    RETURNING 1
)
SELECT count(*) FROM gone
