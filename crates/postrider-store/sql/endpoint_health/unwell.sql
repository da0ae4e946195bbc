-- What is known about every endpoint that is not well, or that somebody paused. Index: webhook_endpoint_health_unwell and
-- webhook_endpoints_paused, which hold nothing else; webhook_endpoints_pkey, webhook_endpoint_health_pkey.
SELECT h.endpoint_id, h.revision, h.circuit, h.consecutive_failures, h.failed_probes, h.opened_at, h.next_probe_at, h.paused_until,
       h.first_failure_at, h.last_success_at, h.warned_at, h.probe_owner, h.probe_until,
       EXISTS (SELECT FROM postrider.webhook_endpoints e
               WHERE e.id = ANY (ARRAY[h.endpoint_id]) AND e.paused_at IS NOT NULL AND e.enabled) AS paused
FROM postrider.webhook_endpoint_health h
WHERE h.first_failure_at IS NOT NULL OR h.paused_until IS NOT NULL
UNION ALL
-- The others that are paused have a clean record, if any.
SELECT e.id, 0, 'closed', 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true
FROM postrider.webhook_endpoints e
WHERE e.paused_at IS NOT NULL AND e.enabled
  AND NOT EXISTS (SELECT FROM postrider.webhook_endpoint_health h
                  WHERE h.endpoint_id = ANY (ARRAY[e.id]) AND (h.first_failure_at IS NOT NULL OR h.paused_until IS NOT NULL))
