-- What is known about the endpoints given, whether they ever failed or not; no row for one that is gone.
-- Index: webhook_endpoints_pkey, webhook_endpoint_health_pkey.
SELECT e.id, coalesce(h.revision, 0), coalesce(h.circuit, 'closed'), coalesce(h.consecutive_failures, 0), coalesce(h.failed_probes, 0), h.opened_at,
       h.next_probe_at, h.paused_until, h.first_failure_at, h.last_success_at, h.warned_at, h.probe_owner, h.probe_until,
       e.paused_at IS NOT NULL AND e.enabled AS paused
FROM postrider.webhook_endpoints e
LEFT JOIN postrider.webhook_endpoint_health h ON h.endpoint_id = ANY (ARRAY[e.id])
WHERE e.id = ANY ($1)
