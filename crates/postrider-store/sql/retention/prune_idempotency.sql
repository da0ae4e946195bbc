-- Answers older than $1, oldest first, up to $2. Index: idempotency_keys_created, idempotency_keys_pkey.
WITH gone AS (
    DELETE FROM postrider.idempotency_keys k
    WHERE k.id = ANY (ARRAY(SELECT o.id FROM postrider.idempotency_keys o WHERE o.created_at < $1 ORDER BY o.created_at LIMIT $2))
    RETURNING 1
)
SELECT count(*) FROM gone
