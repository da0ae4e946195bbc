-- Writes what is known now, where nobody else wrote since it was read; returns whom it wrote. Index: webhook_endpoint_health_pkey,
-- webhook_endpoints_pkey. An endpoint that was re-enabled meanwhile has no row, so what was read before stays unwritten.
-- $1 endpoints in order, $2 revisions as read (0: there was no row), $3 circuits, $4 consecutive failures, $5 failed probes,
-- $6 opened at, $7 next probe at, $8 paused until, $9 first failure at, $10 last success at, $11 warned at
WITH input AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        AS i (endpoint_id, revision, circuit, consecutive_failures, failed_probes, opened_at, next_probe_at, paused_until,
              first_failure_at, last_success_at, warned_at)
), updated AS (
    UPDATE postrider.webhook_endpoint_health h
    SET revision = h.revision + 1, circuit = i.circuit, consecutive_failures = i.consecutive_failures, failed_probes = i.failed_probes,
        opened_at = i.opened_at, next_probe_at = i.next_probe_at, paused_until = i.paused_until, first_failure_at = i.first_failure_at,
        last_success_at = i.last_success_at, warned_at = i.warned_at, warned = i.warned_at IS NOT NULL,
        probe_owner = CASE WHEN i.circuit = 'half_open' THEN h.probe_owner END,
        probe_until = CASE WHEN i.circuit = 'half_open' THEN h.probe_until END
    FROM input i
    WHERE h.endpoint_id = ANY (ARRAY[i.endpoint_id]) AND h.revision = i.revision
    RETURNING h.endpoint_id
), inserted AS (
    INSERT INTO postrider.webhook_endpoint_health
        (endpoint_id, circuit, consecutive_failures, failed_probes, opened_at, next_probe_at, paused_until, first_failure_at, last_success_at,
         warned_at, warned)
    SELECT i.endpoint_id, i.circuit, i.consecutive_failures, i.failed_probes, i.opened_at, i.next_probe_at, i.paused_until,
           i.first_failure_at, i.last_success_at, i.warned_at, i.warned_at IS NOT NULL
    FROM input i
    WHERE i.revision = 0
      AND EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = ANY (ARRAY[i.endpoint_id]) AND e.enabled)
    ON CONFLICT (endpoint_id) DO NOTHING
    RETURNING endpoint_id
)
SELECT u.endpoint_id FROM updated u UNION ALL SELECT n.endpoint_id FROM inserted n
