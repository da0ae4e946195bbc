-- Frees the queue's dead rows. Waits for nobody, and never truncates: that would lock publishers out.
VACUUM (SKIP_LOCKED, TRUNCATE off) postrider.webhook_events_pending
