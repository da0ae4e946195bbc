-- Locks what is due to an endpoint with batches, oldest first, passing over what others have. The same walk as `look`.
-- Index: webhook_deliveries_open_due, webhook_endpoint_health_pkey, webhook_endpoints_paused.
-- $1 endpoint, $2 how many deliveries, $3 this worker's incarnation.
WITH unwell AS MATERIALIZED (
    SELECT FROM postrider.webhook_endpoint_health h
    WHERE h.endpoint_id = $1 AND (h.circuit <> 'closed' OR h.paused_until > clock_timestamp())
      AND h.probe_owner IS DISTINCT FROM $3
    UNION ALL
    -- Those of one that somebody paused wait everywhere.
    SELECT FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.paused_at IS NOT NULL AND e.enabled
)
SELECT d.id, d.attempts, extract(epoch FROM (SELECT clock_timestamp()) - d.next_attempt_at)::float8 AS waited, d.batch_id,
       d.event_seq, d.event_created_at, d.replay > 0 AS replay
FROM postrider.webhook_deliveries_open d
WHERE d.endpoint_id = $1 AND d.next_attempt_at <= (SELECT clock_timestamp()) AND d.order_key IS NULL
  AND NOT EXISTS (SELECT FROM unwell)
ORDER BY d.next_attempt_at
LIMIT $2
FOR NO KEY UPDATE OF d SKIP LOCKED
