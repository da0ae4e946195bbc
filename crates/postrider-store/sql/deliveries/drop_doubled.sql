-- Takes open deliveries away that are closed already, which must never happen: asked only when closing met one. The closed
-- row is kept as it is. Index: webhook_deliveries_open_pkey, webhook_deliveries_closed_pkey.
-- $1 ids, $2 lease owner.
DELETE FROM postrider.webhook_deliveries_open d
WHERE d.id = ANY ($1) AND d.lease_owner = $2
  AND EXISTS (SELECT FROM postrider.webhook_deliveries_closed c WHERE c.id = ANY (ARRAY[d.id]))
