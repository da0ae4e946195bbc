-- The status of deliveries, open and closed, by their ids. Index: the primary key of webhook_deliveries_open and of the closed partitions
-- that the bounds leave. $1 ids, $2 $3 bounds of them all, by which the partitions are found.
SELECT d.id, d.status FROM postrider.webhook_deliveries d WHERE d.id = ANY ($1) AND d.id BETWEEN $2 AND $3
