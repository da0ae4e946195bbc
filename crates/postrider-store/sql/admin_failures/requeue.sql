-- Puts failed events back on the queue, where their body still exists. Index: webhook_events_failed_pkey, webhook_events_pkey.
-- $1 the seqs, or NULL for all, $2 the seq to start after, $3 how many at once.
WITH chosen AS MATERIALIZED (
    SELECT f.seq, f.created_at
    FROM postrider.webhook_events_failed f
    WHERE f.seq > $2 AND ($1 IS NULL OR f.seq = ANY ($1))
    ORDER BY f.seq
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), body AS MATERIALIZED (
    SELECT e.seq, e.created_at, octet_length(e.envelope) AS bytes, e.ordering_key IS NOT NULL AS keyed
    FROM chosen c
    JOIN postrider.webhook_events e ON e.seq = c.seq AND e.created_at = c.created_at
), gone AS (
    DELETE FROM postrider.webhook_events_failed f USING body b WHERE f.seq = b.seq
), back AS (
    INSERT INTO postrider.webhook_events_pending (seq, created_at, next_attempt_at, bytes, keyed)
    SELECT b.seq, b.created_at, clock_timestamp(), b.bytes, b.keyed FROM body b
    ON CONFLICT (seq) DO NOTHING
    RETURNING seq
)
SELECT c.seq, b.seq IS NOT NULL AS requeued FROM chosen c LEFT JOIN back b ON b.seq = c.seq ORDER BY c.seq
