-- Where the open deliveries of an endpoint are, in no order. Index: webhook_deliveries_open_due. $1 endpoint, $2 how many, $3 tenant or NULL.
SELECT d.id, d.event_seq FROM postrider.webhook_deliveries_open d WHERE d.endpoint_id = $1 AND ($3 IS NULL OR d.tenant_id = $3) LIMIT $2
