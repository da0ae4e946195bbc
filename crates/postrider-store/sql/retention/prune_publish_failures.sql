-- Deletes up to $2 recorded publish failures from before $1. Index: webhook_publish_failures_failed_at.
WITH old AS MATERIALIZED (
    SELECT f.id FROM postrider.webhook_publish_failures f WHERE f.failed_at < $1 ORDER BY f.failed_at LIMIT $2
), gone AS (
    DELETE FROM postrider.webhook_publish_failures f USING old WHERE f.id = old.id RETURNING 1
)
SELECT count(*) FROM gone
