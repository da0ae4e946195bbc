-- Stores batches as they were formed. The same members are the same batch, so one that is there already is this one. One whose members
-- were not inserted, because their endpoint is gone or disabled, is none. Index: webhook_deliveries_open_pkey, one probe a batch.
-- $1 members in their order, $2 their batches, $3 endpoints, $4 formats, $5 encodings.
INSERT INTO postrider.webhook_delivery_batches (id, endpoint_id, members, format, encoding)
SELECT f.batch_id, f.endpoint_id, f.members, f.format, f.encoding
FROM (
    SELECT i.batch_id, i.endpoint_id, i.format, i.encoding, array_agg(i.id ORDER BY i.place) AS members
    FROM ROWS FROM (unnest($1, $2, $3, $4, $5)) WITH ORDINALITY AS i (id, batch_id, endpoint_id, format, encoding, place)
    GROUP BY i.batch_id, i.endpoint_id, i.format, i.encoding
) f
-- A value, not EXISTS: that could be planned as a walk of the whole index.
WHERE (SELECT true FROM postrider.webhook_deliveries_open d WHERE d.id = f.members[1])
ON CONFLICT (id) DO NOTHING
