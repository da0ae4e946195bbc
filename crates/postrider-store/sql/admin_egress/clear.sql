-- Takes a tenant's egress rules away. No row: it had none. Index: webhook_egress_rules_pkey.
DELETE FROM postrider.webhook_egress_rules r WHERE r.tenant_id = $1 RETURNING r.tenant_id
