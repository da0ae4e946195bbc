-- Closes publishing for the installation, a tenant or a type; closed already, it keeps its time and its reason.
-- Index: webhook_switches_pkey.
INSERT INTO postrider.webhook_switches (scope, name, reason) VALUES ($1, $2, $3) ON CONFLICT (scope, name) DO NOTHING RETURNING scope
