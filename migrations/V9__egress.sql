-- Which rule kept a request from leaving, or how an answer's body ended early; and what the operator opens and closes to one tenant.

-- The range, the list or the listener that forbade the address, or body_cut, body_timeout, body_broken. Words of ours alone.
ALTER TABLE postrider.webhook_attempts ADD COLUMN detail text;

-- A tenant's rules beside those of the installation's configuration. No row: none of its own.
CREATE TABLE postrider.webhook_egress_rules (
    tenant_id   text COLLATE "C" PRIMARY KEY CHECK (tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'),
    allow_cidrs cidr[] NOT NULL DEFAULT '{}' CHECK (cardinality(allow_cidrs) <= 100 AND array_position(allow_cidrs, NULL) IS NULL),
    deny_cidrs  cidr[] NOT NULL DEFAULT '{}' CHECK (cardinality(deny_cidrs) <= 100 AND array_position(deny_cidrs, NULL) IS NULL),
    -- The only ports; empty: those of the installation.
    ports       integer[] NOT NULL DEFAULT '{}' CHECK (cardinality(ports) <= 100 AND 1 <= ALL (ports) AND 65535 >= ALL (ports)),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Workers read their endpoints again when the routing version moves, and the rules with them.
CREATE TRIGGER bump_routing_version AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_egress_rules
    FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();
