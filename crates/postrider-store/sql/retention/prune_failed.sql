-- Deletes up to $2 failed events from before $1. A table of exceptions: read whole. Index: webhook_events_failed_pkey.
WITH old AS MATERIALIZED (
    SELECT f.seq FROM postrider.webhook_events_failed f WHERE f.failed_at < $1 ORDER BY f.seq LIMIT $2
), gone AS (
    DELETE FROM postrider.webhook_events_failed f USING old WHERE f.seq = old.seq RETURNING 1
)
SELECT count(*) FROM gone
