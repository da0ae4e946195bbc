-- Notes that the bodies of a partition go. Index: webhook_horizon_pkey; webhook_events_pkey of the partition. $1 the partition.
SELECT postrider.note_removed_bodies($1)
