-- Stores batches as they were formed. The same members are the same batch, so one that is there already is this one.
-- $1 members in their order, $2 their batches, $3 formats, $4 encodings, $5 the endpoint.
INSERT INTO postrider.webhook_delivery_batches (id, endpoint_id, members, format, encoding)
SELECT i.batch_id, $5, array_agg(i.id ORDER BY i.place), i.format, i.encoding
FROM ROWS FROM (unnest($1, $2, $3, $4)) WITH ORDINALITY AS i (id, batch_id, format, encoding, place)
GROUP BY i.batch_id, i.format, i.encoding
ON CONFLICT (id) DO NOTHING
