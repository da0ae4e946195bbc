-- How many deliveries an endpoint is owed, counted up to $2. Index: webhook_deliveries_open_due.
SELECT count(*) FROM (SELECT FROM postrider.webhook_deliveries_open d WHERE d.endpoint_id = $1 LIMIT $2) n
