-- Takes batches away of which no member is owed any more: cancelled or ended by retention, all of them. Oldest first, up to $2 of those
-- formed before $1. Index: webhook_delivery_batches_created, webhook_deliveries_open_pkey.
WITH gone AS (
    DELETE FROM postrider.webhook_delivery_batches b
    WHERE b.id = ANY (ARRAY(
        SELECT o.id FROM postrider.webhook_delivery_batches o
        WHERE o.created_at < $1
          AND NOT EXISTS (SELECT FROM postrider.webhook_deliveries_open d WHERE d.id = ANY (o.members))
        ORDER BY o.created_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)
SELECT count(*) FROM gone
