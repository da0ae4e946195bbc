-- Takes fanned-out events off the queue. Index: webhook_events_pending_pkey.
DELETE FROM postrider.webhook_events_pending p WHERE p.seq = ANY ($1)
