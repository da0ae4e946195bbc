-- Limits of one tenant, or of all that have some. Index: tenants_pkey; all: a row for each tenant with settings.
SELECT t.tenant_id, t.max_in_flight, t.rate_limit, t.updated_at
FROM postrider.tenants t
WHERE ($1::text IS NULL OR t.tenant_id = $1) AND (t.max_in_flight IS NOT NULL OR t.rate_limit IS NOT NULL)
ORDER BY t.tenant_id
