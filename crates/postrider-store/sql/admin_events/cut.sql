-- Whether the window holds more events than a listing looks at. Index: webhook_events_pkey of each partition that $1 leaves.
-- $1 not older than, $2 the seq to start before, $3 how many are looked at.
SELECT EXISTS (SELECT FROM postrider.webhook_events n WHERE n.created_at >= $1 AND n.seq < $2 ORDER BY n.seq DESC OFFSET $3)
