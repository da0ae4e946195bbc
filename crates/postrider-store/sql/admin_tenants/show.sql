-- What is set of one tenant. No row: nothing ever was. Index: tenants_pkey.
SELECT t.tenant_id, t.max_in_flight, t.rate_limit, t.capture_engagement_events, t.updated_at
FROM postrider.tenants t
WHERE t.tenant_id = $1
