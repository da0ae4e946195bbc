-- Sets those of a tenant's limits that are to change ($2, $4), to a number or to none. Index: tenants_pkey.
INSERT INTO postrider.tenants AS t (tenant_id, max_in_flight, rate_limit) VALUES ($1, $3, $5)
ON CONFLICT (tenant_id) DO UPDATE
SET max_in_flight = CASE WHEN $2 THEN excluded.max_in_flight ELSE t.max_in_flight END,
    rate_limit = CASE WHEN $4 THEN excluded.rate_limit ELSE t.rate_limit END,
    updated_at = clock_timestamp()
RETURNING t.tenant_id, t.max_in_flight, t.rate_limit, t.updated_at
