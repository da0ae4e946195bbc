-- When one endpoint is next due, in seconds; no row if nothing is owed to it. Zero if all of it waits for its turn. Index: webhook_deliveries_open_due.
SELECT CASE WHEN d.next_attempt_at = 'infinity' THEN 0 ELSE extract(epoch FROM d.next_attempt_at - clock_timestamp())::float8 END AS due_in
FROM postrider.webhook_deliveries_open d
WHERE d.endpoint_id = $1
ORDER BY d.next_attempt_at
LIMIT 1
