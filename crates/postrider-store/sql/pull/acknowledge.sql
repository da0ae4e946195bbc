-- Notes how far an endpoint's reader has come; it never goes back. Index: webhook_pull_cursors_pkey, webhook_endpoints_pkey.
-- $1 endpoint, $2 tenant, $3 seq, $4 what was removed by then.
INSERT INTO postrider.webhook_pull_cursors AS c (endpoint_id, tenant_id, seq, removed_to)
VALUES ($1, $2, $3, $4)
ON CONFLICT (endpoint_id) DO UPDATE SET seq = excluded.seq, removed_to = excluded.removed_to, acknowledged_at = clock_timestamp()
WHERE c.seq < excluded.seq OR (c.seq = excluded.seq AND c.removed_to < excluded.removed_to)
