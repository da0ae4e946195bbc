-- Why the bodies of a day may not go, or null. Index: webhook_events_pkey of the day, webhook_events_pending_pkey,
-- webhook_deliveries_open_pkey. Null bounds are infinite.
SELECT postrider.bodies_owed($1, coalesce($2, '-infinity'), $3)
