-- The oldest event that waits to be fanned out, due or not; no row if there is none. Index: webhook_events_pending_pkey.
SELECT p.seq FROM postrider.webhook_events_pending p ORDER BY p.seq LIMIT 1
