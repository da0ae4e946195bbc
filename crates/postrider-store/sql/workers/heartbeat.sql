-- Says that a worker lives. Index: webhook_workers_pkey. No row: it was judged dead and must come back under a new incarnation.
UPDATE postrider.webhook_workers w SET heartbeat_at = clock_timestamp() WHERE w.incarnation = $1 RETURNING w.incarnation
