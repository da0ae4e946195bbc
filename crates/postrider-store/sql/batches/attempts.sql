-- Records what one request meant for each member of its batch, append-only. The answer is kept once, with the first.
-- Index: webhook_attempts_pkey of the day.
-- $1 delivery ids, $2 attempt numbers, $3 HTTP statuses, $4 outcomes, $5 error classes; of the request: $6 batch, $7 endpoint, $8 start,
-- $9 duration in ms, $10 peer, $11 response headers, $12 response body, $13 detail.
INSERT INTO postrider.webhook_attempts
    (delivery_id, started_at, endpoint_id, duration_ms, attempt, status, outcome, error, peer, response_headers, response_body, detail, batch_id)
SELECT i.delivery_id, $8, $7, $9, i.attempt, i.status, i.outcome, i.error, $10,
       CASE WHEN i.place = 1 THEN $11 END, CASE WHEN i.place = 1 THEN $12 END, $13, $6
FROM ROWS FROM (unnest($1, $2, $3, $4, $5)) WITH ORDINALITY AS i (delivery_id, attempt, status, outcome, error, place)
ON CONFLICT (delivery_id, attempt, started_at) DO NOTHING
