-- Which of the deliveries just inserted are leased to $2: asked only when the insert counted fewer than it was given.
-- Index: webhook_deliveries_open_pkey.
SELECT d.id FROM postrider.webhook_deliveries_open d WHERE d.id = ANY ($1) AND d.lease_owner = $2
