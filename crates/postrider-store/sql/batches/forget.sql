-- Takes batches away that are over: recorded, split, or followed by another without a member that is gone.
-- Index: webhook_delivery_batches_pkey. $1 ids.
DELETE FROM postrider.webhook_delivery_batches b WHERE b.id = ANY ($1)
