-- When one endpoint is next due, in seconds; no row if nothing is owed to it. Index: webhook_deliveries_open_due.
SELECT extract(epoch FROM d.next_attempt_at - clock_timestamp())::float8 AS due_in
FROM postrider.webhook_deliveries_open d
WHERE d.endpoint_id = $1
ORDER BY d.next_attempt_at
LIMIT 1
