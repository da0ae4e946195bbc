-- Whether the window holds more deliveries than a listing looks at. Index: the primary key of each partition that $1 leaves.
-- $1 the lowest id, $2 the id to start before, $3 how many are looked at.
SELECT EXISTS (SELECT FROM postrider.webhook_deliveries d WHERE d.id >= $1 AND d.id < $2 ORDER BY d.id DESC OFFSET $3)
