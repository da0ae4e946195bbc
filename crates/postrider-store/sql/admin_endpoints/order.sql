-- Sets in what order an endpoint is sent to. Deliveries that are open already keep the order they were made with.
-- Index: webhook_endpoints_pkey. $1 id, $2 ordering, $3 attempts after which a delivery is skipped, or NULL.
UPDATE postrider.webhook_endpoints e SET ordering = $2, skip_after = $3, updated_at = clock_timestamp()
WHERE e.id = $1
RETURNING e.id
