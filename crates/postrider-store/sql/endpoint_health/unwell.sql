-- What is known about every endpoint that is not well. Index: webhook_endpoint_health_unwell, which holds nothing else.
SELECT h.endpoint_id, h.revision, h.circuit, h.consecutive_failures, h.failed_probes, h.opened_at, h.next_probe_at, h.paused_until,
       h.first_failure_at, h.last_success_at, h.warned_at, h.probe_owner, h.probe_until
FROM postrider.webhook_endpoint_health h
WHERE h.first_failure_at IS NOT NULL OR h.paused_until IS NOT NULL
