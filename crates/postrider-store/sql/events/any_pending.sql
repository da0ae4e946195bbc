-- Whether any event waits to be fanned out, due or not. Index: webhook_events_pending_pkey.
SELECT EXISTS (SELECT FROM postrider.webhook_events_pending p ORDER BY p.seq LIMIT 1)
