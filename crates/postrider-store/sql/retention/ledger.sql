-- How far the ledger is pruned, how far it may be, and the time before which every row may go: $1, or earlier if an event or
-- a delivery from before is still owed. Index: ledger_marks_pkey, webhook_events_pending_pkey, webhook_deliveries_open_pkey.
-- The hour between mark and time is for a publisher that was stopped between drawing its seq and its time.
SELECT s.pruned_to, greatest(coalesce((SELECT max(m.seq) FROM postrider.ledger_marks m WHERE m.at < o.at - interval '1 hour'), 0), s.pruned_to) AS prune_to,
       o.at AS before, s.indexed_at,
       coalesce(pg_sequence_last_value(pg_get_serial_sequence('postrider.webhook_event_ids', 'seq')), 0) AS last_seq
FROM postrider.ledger_state s
CROSS JOIN (
    SELECT least($1, (SELECT p.created_at FROM postrider.webhook_events_pending p ORDER BY p.seq LIMIT 1),
                 (SELECT d.event_created_at FROM postrider.webhook_deliveries_open d ORDER BY d.id LIMIT 1)) AS at
) o
