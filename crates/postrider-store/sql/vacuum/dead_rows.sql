-- Dead rows of the two hot tables, as the statistics know them.
SELECT pg_stat_get_dead_tuples('postrider.webhook_events_pending'::regclass), pg_stat_get_dead_tuples('postrider.webhook_deliveries_open'::regclass)
