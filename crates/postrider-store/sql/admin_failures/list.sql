-- Events that could not be fanned out, oldest first, after $1. Index: webhook_events_failed_pkey, webhook_events_pkey.
-- $1 the seq to start after, $2 how many.
SELECT f.seq, f.created_at, f.failed_at, f.attempts, f.reason, f.last_error, e.tenant_id, e.id, e.type
FROM postrider.webhook_events_failed f
LEFT JOIN postrider.webhook_events e ON e.seq = f.seq AND e.created_at = f.created_at
WHERE f.seq > $1
ORDER BY f.seq
LIMIT $2
