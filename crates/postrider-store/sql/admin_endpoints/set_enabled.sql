-- Enables or disables an endpoint, with a clean record either way, and says so by an operator event. No row: it is gone, or was so
-- already. Index: webhook_endpoints_pkey, webhook_endpoint_health_pkey. $1 id, $2 enabled?, $3 the reason if not.
WITH changed AS (
    UPDATE postrider.webhook_endpoints e
    SET enabled = $2, disabled_reason = CASE WHEN $2 THEN NULL ELSE $3 END, updated_at = clock_timestamp()
    WHERE e.id = $1 AND e.enabled <> $2
    RETURNING e.id, e.tenant_id
), clean AS (
    DELETE FROM postrider.webhook_endpoint_health h USING changed c WHERE h.endpoint_id = ANY (ARRAY[c.id])
)
SELECT c.id, postrider.tell_of_endpoint_v1(c.id, c.tenant_id, CASE WHEN $2 THEN 'endpoint.enabled' ELSE 'endpoint.disabled' END,
    CASE WHEN $2 THEN '{}'::jsonb ELSE jsonb_build_object('reason', $3) END)
FROM changed c
