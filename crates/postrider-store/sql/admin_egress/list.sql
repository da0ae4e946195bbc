-- Egress rules of one tenant, or of all. Index: webhook_egress_rules_pkey; all: a row for each tenant with rules.
SELECT r.tenant_id, r.allow_cidrs::text[], r.deny_cidrs::text[], r.ports, r.updated_at
FROM postrider.webhook_egress_rules r
WHERE $1::text IS NULL OR r.tenant_id = $1
ORDER BY r.tenant_id
