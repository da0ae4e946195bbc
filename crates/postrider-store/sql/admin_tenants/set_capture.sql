-- Sets whether what people did with a tenant's e-mails is captured; a tenant may do this itself. Index: tenants_pkey. $1 tenant, $2 captured?
INSERT INTO postrider.tenants AS t (tenant_id, capture_engagement_events) VALUES ($1, $2)
ON CONFLICT (tenant_id) DO UPDATE
SET capture_engagement_events = excluded.capture_engagement_events, updated_at = clock_timestamp()
