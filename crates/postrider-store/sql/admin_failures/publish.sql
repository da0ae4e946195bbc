-- Best-effort publishes that failed, newest first. Index: webhook_publish_failures_pkey.
SELECT f.id, f.failed_at, f.tenant_id, f.event_id, f.type, f.reason
FROM postrider.webhook_publish_failures f
ORDER BY f.id DESC
LIMIT $1
