-- Gives a probe back that brought nothing to judge by. Index: webhook_endpoint_health_pkey.
-- $1 endpoint, $2 this worker's incarnation, $3 until when nobody probes, in ms from now.
UPDATE postrider.webhook_endpoint_health h
SET revision = h.revision + 1, circuit = 'open', probe_owner = NULL, probe_until = NULL,
    next_probe_at = clock_timestamp() + $3 * interval '1 millisecond'
WHERE h.endpoint_id = $1 AND h.probe_owner = $2
