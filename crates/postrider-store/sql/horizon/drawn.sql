-- The last seq that anybody has drawn, and what is kept in the one row of the horizon. Index: webhook_horizon_pkey.
-- A sequence that hands out more than one number at a time cannot be used: a session would draw a lower one later.
SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END AS drawn, h.seq, h.removed_to,
       (SELECT q.seqcache FROM pg_catalog.pg_sequence q WHERE q.seqrelid = 'postrider.webhook_event_ids_seq_seq'::regclass) AS cache
FROM postrider.webhook_event_ids_seq_seq s, postrider.webhook_horizon h
WHERE h.singleton
