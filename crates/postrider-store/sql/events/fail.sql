-- Moves events that can never be fanned out from the queue to the failed, with the reason. Index: webhook_events_pending_pkey.
WITH gone AS (
    DELETE FROM postrider.webhook_events_pending p WHERE p.seq = ANY ($1) RETURNING p.seq, p.created_at, p.attempts
)
INSERT INTO postrider.webhook_events_failed (seq, created_at, attempts, reason, last_error)
SELECT g.seq, g.created_at, g.attempts, $2, left($3, 2000) FROM gone g
ON CONFLICT (seq) DO NOTHING
