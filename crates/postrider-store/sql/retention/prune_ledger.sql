-- Deletes the ledger's rows with a seq in ($1, $2] from before $3, and notes the progress. Index: webhook_event_ids_seq.
WITH gone AS (
    DELETE FROM postrider.webhook_event_ids l WHERE l.seq > $1 AND l.seq <= $2 AND l.created_at < $3 RETURNING 1
), noted AS (
    UPDATE postrider.ledger_state s SET pruned_to = $2 WHERE s.pruned_to < $2
), passed AS (
    DELETE FROM postrider.ledger_marks m WHERE m.seq < $2
)
SELECT count(*) FROM gone
