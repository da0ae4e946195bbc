-- How many open deliveries of events of [$1, $2) there are. Index: webhook_deliveries_open_pkey.
SELECT count(*) FROM postrider.webhook_deliveries_open d
WHERE d.id >= postrider.delivery_id_from(coalesce($1, '-infinity')) AND d.id < postrider.delivery_id_floor($2)
