-- Enables or disables an endpoint. No row: it is gone, or was so already. Index: webhook_endpoints_pkey.
-- $1 id, $2 enabled?, $3 the reason if not.
UPDATE postrider.webhook_endpoints e
SET enabled = $2, disabled_reason = CASE WHEN $2 THEN NULL ELSE $3 END, updated_at = clock_timestamp()
WHERE e.id = $1 AND e.enabled <> $2
RETURNING e.id
