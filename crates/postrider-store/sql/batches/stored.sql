-- Batches that were formed before, and what is open of their members: locked, passing over what others have. The batches themselves
-- never change, so they need no lock. Index: webhook_delivery_batches_pkey, webhook_deliveries_open_pkey.
-- $1 batch ids.
-- Three kinds of row: a batch (stored, members, format, encoding); a member that is locked (id, leased, batch_id, event_seq and
-- event_created_at); and a member that is open, locked or not (id alone).
WITH batch AS MATERIALIZED (
    SELECT b.id, b.members, b.format, b.encoding FROM postrider.webhook_delivery_batches b WHERE b.id = ANY ($1)
), member AS MATERIALIZED (
    SELECT m.id FROM batch b CROSS JOIN LATERAL unnest(b.members) AS m (id)
), locked AS MATERIALIZED (
    SELECT d.id, d.lease_owner IS NOT NULL AND d.next_attempt_at > (SELECT clock_timestamp()) AS leased, d.batch_id, d.event_seq, d.event_created_at
    FROM postrider.webhook_deliveries_open d
    WHERE d.id = ANY (ARRAY(SELECT m.id FROM member m))
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT b.id AS stored, b.members, b.format, b.encoding,
       NULL::uuid AS id, NULL::boolean AS leased, NULL::uuid AS batch_id, NULL::bigint AS event_seq, NULL::timestamptz AS event_created_at
FROM batch b
UNION ALL
SELECT NULL, NULL, NULL, NULL, l.id, l.leased, l.batch_id, l.event_seq, l.event_created_at FROM locked l
UNION ALL
SELECT NULL, NULL, NULL, NULL, d.id, NULL, NULL, NULL, NULL
FROM postrider.webhook_deliveries_open d
WHERE d.id = ANY (ARRAY(SELECT m.id FROM member m))
