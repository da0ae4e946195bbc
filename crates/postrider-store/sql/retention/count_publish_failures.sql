-- How many recorded publish failures are from before $1. Index: webhook_publish_failures_failed_at.
SELECT count(*) FROM postrider.webhook_publish_failures f WHERE f.failed_at < $1
