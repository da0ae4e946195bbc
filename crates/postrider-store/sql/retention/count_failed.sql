-- How many failed events are from before $1. A table of exceptions: read whole.
SELECT count(*) FROM postrider.webhook_events_failed f WHERE f.failed_at < $1
