-- What a tenant may do at once, all its endpoints together, in the whole fleet.

-- Settings of a tenant. No row: it has set none.
CREATE TABLE postrider.tenants (
    tenant_id     text COLLATE "C" PRIMARY KEY CHECK (tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'),
    -- Requests in flight; none: no limit.
    max_in_flight integer CONSTRAINT tenants_max_in_flight CHECK (max_in_flight BETWEEN 1 AND 100000),
    -- Requests a second; none: no limit.
    rate_limit    integer CONSTRAINT tenants_rate_limit CHECK (rate_limit BETWEEN 1 AND 1000000),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Workers read their endpoints again when the routing version moves, and the limits with them.
CREATE TRIGGER bump_routing_version AFTER INSERT OR UPDATE OR DELETE ON postrider.tenants
    FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();
