-- Takes the one probe of an endpoint for this worker, if its time has come, no other worker has it and nobody paused the endpoint.
-- Index: webhook_endpoint_health_pkey, webhook_endpoints_paused. $1 endpoint, $2 this worker's incarnation, $3 how long the probe is its own, in seconds.
UPDATE postrider.webhook_endpoint_health h
SET revision = h.revision + 1, circuit = 'half_open', probe_owner = $2, probe_until = clock_timestamp() + make_interval(secs => $3)
WHERE h.endpoint_id = $1
  AND (h.paused_until IS NULL OR h.paused_until <= clock_timestamp())
  AND (h.circuit = 'open' AND h.next_probe_at <= clock_timestamp() OR h.circuit = 'half_open' AND h.probe_until <= clock_timestamp())
  AND NOT EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.paused_at IS NOT NULL AND e.enabled)
