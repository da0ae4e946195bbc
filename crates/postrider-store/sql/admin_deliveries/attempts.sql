-- The attempts of one delivery, in order. Index: webhook_attempts_pkey of each partition from $2 on.
-- $1 delivery, $2 not before: the event's time, less what clocks may differ.
SELECT a.attempt, a.started_at, a.duration_ms, a.status, a.outcome, a.error, a.peer, a.response_headers, a.response_body, a.detail, a.batch_id
FROM postrider.webhook_attempts a
WHERE a.delivery_id = $1 AND a.started_at >= $2
ORDER BY a.attempt, a.started_at
LIMIT 100
