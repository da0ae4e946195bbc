-- What operators watch: the backlog counted up to $1, its oldest event, the most overdue of at most $2 endpoints, the oldest
-- snapshot of this database that we are allowed to see. Index: webhook_events_pending_pkey, webhook_deliveries_open_due,
-- webhook_endpoint_health_pkey, webhook_endpoints_pkey, webhook_endpoints_paused.
WITH RECURSIVE clock AS MATERIALIZED (
    SELECT clock_timestamp() AS at
), earliest AS (
    (SELECT d.endpoint_id, d.next_attempt_at FROM postrider.webhook_deliveries_open d ORDER BY d.endpoint_id, d.next_attempt_at LIMIT 1)
    UNION ALL
    SELECT n.endpoint_id, n.next_attempt_at
    FROM earliest p
    CROSS JOIN LATERAL (
        SELECT d.endpoint_id, d.next_attempt_at FROM postrider.webhook_deliveries_open d
        WHERE d.endpoint_id > p.endpoint_id
        ORDER BY d.endpoint_id, d.next_attempt_at LIMIT 1
    ) n
), overdue AS (
    -- Those of an endpoint that is not well are not late: they wait for it. Neither are those that wait for others of their batch.
    SELECT min(f.next_attempt_at + coalesce((SELECT e.batch_max_wait_ms FROM postrider.webhook_endpoints e WHERE e.id = f.endpoint_id), 0)
                                   * interval '1 millisecond') AS since FROM (SELECT e.endpoint_id, e.next_attempt_at FROM earliest e LIMIT $2) f
    WHERE NOT EXISTS (SELECT FROM postrider.webhook_endpoint_health h
                      WHERE h.endpoint_id = f.endpoint_id AND (h.circuit <> 'closed' OR h.paused_until > (SELECT c.at FROM clock c)))
      AND NOT EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = f.endpoint_id AND e.paused_at IS NOT NULL AND e.enabled)
)
SELECT extract(epoch FROM c.at)::float8 AS sampled_at,
       (SELECT count(*) FROM (SELECT FROM postrider.webhook_events_pending p LIMIT $1) n) AS pending,
       coalesce((SELECT extract(epoch FROM c.at - p.created_at) FROM postrider.webhook_events_pending p ORDER BY p.seq LIMIT 1), 0)::float8 AS oldest_pending,
       coalesce((SELECT extract(epoch FROM c.at - o.since) FROM overdue o WHERE o.since < 'infinity'), 0)::float8 AS due_lag,
       coalesce(extract(epoch FROM c.at - least(
           (SELECT min(a.xact_start) FROM pg_stat_activity a WHERE a.backend_xmin IS NOT NULL AND a.datname = current_database()),
           (SELECT min(x.prepared) FROM pg_prepared_xacts x WHERE x.database = current_database()))), 0)::float8 AS oldest_snapshot
FROM clock c
