-- Sets a tenant's egress rules, all of them. Index: webhook_egress_rules_pkey.
INSERT INTO postrider.webhook_egress_rules AS r (tenant_id, allow_cidrs, deny_cidrs, ports) VALUES ($1, $2::text[]::cidr[], $3::text[]::cidr[], $4)
ON CONFLICT (tenant_id) DO UPDATE
SET allow_cidrs = excluded.allow_cidrs, deny_cidrs = excluded.deny_cidrs, ports = excluded.ports, updated_at = clock_timestamp()
