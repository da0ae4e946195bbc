-- Takes back what was owed in this transaction and turns out to be closed already: a newer snapshot than that of the statement that owed it,
-- which may have waited for whoever closed it. Index: webhook_deliveries_open_pkey, the primary key of the closed partitions that the
-- bounds leave. $1 the ids that were owed, $2 $3 bounds of them all.
DELETE FROM postrider.webhook_deliveries_open d
WHERE d.id = ANY (ARRAY(SELECT c.id FROM postrider.webhook_deliveries_closed c WHERE c.id = ANY ($1) AND c.id BETWEEN $2 AND $3))
