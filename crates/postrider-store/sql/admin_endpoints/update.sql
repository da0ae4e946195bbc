-- Changes what was given and nothing else, and tells the TLS identity. A value comes as itself, or as a flag and a value where NULL means something.
-- Index: webhook_endpoints_pkey.
-- $1 id, $2 url, $3 description, $4 event types, $5 $6 filter, $7 $8 headers, sealed, $9 $10 retry schedule in ms,
-- $11 $12 time-out in ms, $13 $14 in flight, $15 capture responses?, $16 metadata, $17 only if it was last changed then.
UPDATE postrider.webhook_endpoints e
SET url = coalesce($2, e.url),
    description = coalesce($3, e.description),
    event_types = coalesce($4, e.event_types),
    filter = CASE WHEN $5 THEN $6 ELSE e.filter END,
    headers_sealed = CASE WHEN $7 THEN $8 ELSE e.headers_sealed END,
    retry_schedule_ms = CASE WHEN $9 THEN $10 ELSE e.retry_schedule_ms END,
    timeout_ms = CASE WHEN $11 THEN $12 ELSE e.timeout_ms END,
    max_in_flight = CASE WHEN $13 THEN $14 ELSE e.max_in_flight END,
    capture_responses = coalesce($15, e.capture_responses),
    metadata = coalesce($16, e.metadata),
    updated_at = clock_timestamp()
WHERE e.id = $1 AND ($17 IS NULL OR e.updated_at = $17)
RETURNING e.id, e.tls_sealed
