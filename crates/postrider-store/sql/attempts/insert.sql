-- Records attempts, append-only. Index: webhook_attempts_pkey of the day.
-- $1 delivery ids, $2 start times, $3 endpoints, $4 durations in ms, $5 attempt numbers, $6 HTTP statuses, $7 outcomes, $8 error classes,
-- $9 peers, $10 response headers, $11 response bodies, $12 details.
INSERT INTO postrider.webhook_attempts
    (delivery_id, started_at, endpoint_id, duration_ms, attempt, status, outcome, error, peer, response_headers, response_body, detail)
SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (delivery_id, attempt, started_at) DO NOTHING
