-- Counts a try of an event before the work, so that a crash counts too. Index: webhook_events_pending_pkey.
UPDATE postrider.webhook_events_pending p SET attempts = p.attempts + 1 WHERE p.seq = $1
