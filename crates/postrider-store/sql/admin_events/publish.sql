-- Publishes an event by the function that every way in uses. $1 tenant, $2 id, $3 type, $4 data, $5 attributes, $6 labels, $7 ordering key,
-- $8 seconds after which it expires, $9 traceparent.
SELECT postrider.publish_v1($1, $2, $3, $4::json, $5::jsonb, $6, $7, make_interval(secs => $8), $9, true)
