-- The oldest event that is due to be fanned out; no row if there is none. Index: webhook_events_pending_pkey, walked past what
-- was put off, which is little.
SELECT p.seq FROM postrider.webhook_events_pending p
WHERE p.next_attempt_at <= (SELECT clock_timestamp())
ORDER BY p.seq
LIMIT 1
