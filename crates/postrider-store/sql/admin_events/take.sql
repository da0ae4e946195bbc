-- Takes an event off the queue within the transaction that published it. Index: webhook_event_ids_pkey, webhook_events_pending_pkey.
DELETE FROM postrider.webhook_events_pending p
USING postrider.webhook_event_ids l
WHERE l.tenant_id = $1 AND l.id = $2 AND p.seq = l.seq
RETURNING p.seq, p.created_at
