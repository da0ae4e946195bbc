-- Puts an event that failed for its own reason off for $2 seconds. Index: webhook_events_pending_pkey.
UPDATE postrider.webhook_events_pending p
SET next_attempt_at = clock_timestamp() + make_interval(secs => $2), last_error = left($3, 2000)
WHERE p.seq = $1
