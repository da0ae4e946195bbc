-- The time of the oldest event that is still owed to an endpoint. Index: webhook_deliveries_open_pkey (the id begins with it).
SELECT d.event_created_at FROM postrider.webhook_deliveries_open d ORDER BY d.id LIMIT 1
