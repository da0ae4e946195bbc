-- What is known about the endpoints given; no row for one that never failed. Index: webhook_endpoint_health_pkey.
SELECT h.endpoint_id, h.revision, h.circuit, h.consecutive_failures, h.failed_probes, h.opened_at, h.next_probe_at, h.paused_until,
       h.first_failure_at, h.last_success_at, h.warned_at, h.probe_owner, h.probe_until
FROM postrider.webhook_endpoint_health h
WHERE h.endpoint_id = ANY ($1)
