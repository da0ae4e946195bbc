-- How many rows of the ledger have a seq in ($1, $2] and are from before $3. Index: webhook_event_ids_seq.
SELECT count(*) FROM postrider.webhook_event_ids l WHERE l.seq > $1 AND l.seq <= $2 AND l.created_at < $3
