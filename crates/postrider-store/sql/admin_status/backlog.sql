-- How much waits, each number counted up to $1 only. Indexes: webhook_events_pending_pkey, webhook_events_failed_pkey,
-- webhook_deliveries_open_pkey, webhook_publish_failures_failed_at, webhook_endpoints_pkey.
SELECT (SELECT count(*) FROM (SELECT FROM postrider.webhook_events_pending LIMIT $1) n) AS pending,
       (SELECT extract(epoch FROM clock_timestamp() - p.created_at)::float8
        FROM postrider.webhook_events_pending p ORDER BY p.seq LIMIT 1) AS oldest_pending_seconds,
       (SELECT count(*) FROM (SELECT FROM postrider.webhook_events_failed LIMIT $1) n) AS failed,
       (SELECT count(*) FROM (SELECT FROM postrider.webhook_publish_failures f
                              WHERE f.failed_at > (SELECT clock_timestamp() - interval '1 day') LIMIT $1) n) AS publish_failures,
       (SELECT count(*) FROM (SELECT FROM postrider.webhook_deliveries_open LIMIT $1) n) AS open_deliveries,
       (SELECT count(*) FROM (SELECT FROM postrider.webhook_endpoints LIMIT $1) n) AS endpoints,
       (SELECT count(*) FROM (SELECT FROM postrider.webhook_endpoints e WHERE NOT e.enabled LIMIT $1) n) AS disabled_endpoints
