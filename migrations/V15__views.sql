-- What operators ask most often, by SQL. The columns of these views stay; new ones may come behind them. Ids are as everywhere else outside.

-- Events with their data. `data` is read from the envelope: jsonb, so numbers and keys are as PostgreSQL writes them.
CREATE VIEW postrider.v_events AS
SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes, coalesce(e.labels, '{}') AS labels, e.ordering_key, e.expires_at,
       (e.envelope::json -> 'data')::jsonb AS data
FROM postrider.webhook_events e;

-- What each endpoint is owed. Counts stop at 10,001: "more than ten thousand".
CREATE VIEW postrider.v_backlog AS
SELECT 'whk_' || replace(e.id::text, '-', '') AS endpoint_id, e.tenant_id, e.url, e.enabled, due.count AS due, later.count AS later, oldest.due_since
FROM postrider.webhook_endpoints e
CROSS JOIN LATERAL (
    SELECT count(*) FROM (SELECT FROM postrider.webhook_deliveries_open d
                          WHERE d.endpoint_id = e.id AND d.next_attempt_at <= (SELECT clock_timestamp()) LIMIT 10001) capped
) due
CROSS JOIN LATERAL (
    SELECT count(*) FROM (SELECT FROM postrider.webhook_deliveries_open d
                          WHERE d.endpoint_id = e.id AND d.next_attempt_at > (SELECT clock_timestamp()) LIMIT 10001) capped
) later
LEFT JOIN LATERAL (
    SELECT d.next_attempt_at AS due_since FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = e.id AND d.next_attempt_at <= (SELECT clock_timestamp())
    ORDER BY d.next_attempt_at
    LIMIT 1
) oldest ON true;

-- How endpoints are. One that never failed is well.
CREATE VIEW postrider.v_endpoint_health AS
SELECT 'whk_' || replace(e.id::text, '-', '') AS endpoint_id, e.tenant_id, e.url, e.enabled, e.disabled_reason, coalesce(h.circuit, 'closed') AS circuit,
       coalesce(h.consecutive_failures, 0) AS consecutive_failures, h.opened_at, h.next_probe_at, nullif(h.paused_until, '-infinity') AS paused_until,
       h.first_failure_at, h.last_success_at, h.warned_at
FROM postrider.webhook_endpoints e
LEFT JOIN postrider.webhook_endpoint_health h ON h.endpoint_id = e.id;

-- What does not move and should: each kind with who it is of, what it is, and since when.
CREATE VIEW postrider.v_stuck AS
SELECT 'event_pending' AS kind, e.tenant_id, e.id AS subject, p.created_at AS since, p.last_error AS detail
FROM postrider.webhook_events_pending p
LEFT JOIN postrider.webhook_events e ON e.seq = p.seq AND e.created_at = p.created_at
WHERE p.created_at < clock_timestamp() - interval '1 min'
UNION ALL
SELECT 'event_failed', e.tenant_id, e.id, f.failed_at, f.reason || coalesce(': ' || f.last_error, '')
FROM postrider.webhook_events_failed f
LEFT JOIN postrider.webhook_events e ON e.seq = f.seq AND e.created_at = f.created_at
UNION ALL
SELECT 'publish_failed', p.tenant_id, p.event_id, p.failed_at, p.reason
FROM postrider.webhook_publish_failures p
UNION ALL
SELECT 'endpoint_overdue', b.tenant_id, b.endpoint_id, b.due_since, b.due || ' deliveries are due'
FROM postrider.v_backlog b
WHERE b.due_since < clock_timestamp() - interval '5 min'
UNION ALL
SELECT 'job', j.tenant_id, 'job_' || replace(j.id::text, '-', ''), coalesce(j.owned_until, j.created_at), 'no worker does it'
FROM postrider.jobs j
WHERE j.state IN ('queued', 'running') AND coalesce(j.owned_until, j.created_at) < clock_timestamp() - interval '5 min';
