-- Where tenants want events sent, what is owed to each, and what came of it.

CREATE TABLE postrider.webhook_endpoints (
    id                uuid PRIMARY KEY,
    tenant_id         text COLLATE "C" NOT NULL CHECK (tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'),
    kind              text NOT NULL DEFAULT 'webhook' CHECK (kind IN ('webhook')),
    url               text NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 2048),
    description       text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
    event_types       text[] NOT NULL CHECK (cardinality(event_types) BETWEEN 1 AND 200),
    filter            jsonb,
    -- Custom request headers: JSON, sealed (XChaCha20-Poly1305); never stored in the clear.
    headers_sealed    bytea,
    -- NULL: the standard schedule. Seconds to wait before attempt 2, 3, …; attempt 1 starts at once.
    retry_schedule    integer[] CHECK (cardinality(retry_schedule) BETWEEN 1 AND 30),
    timeout_ms        integer CHECK (timeout_ms BETWEEN 100 AND 30000),
    max_in_flight     integer CHECK (max_in_flight BETWEEN 1 AND 1000),
    -- Records the answers of successful attempts too.
    capture_responses boolean NOT NULL DEFAULT false,
    enabled           boolean NOT NULL DEFAULT true,
    disabled_reason   text,
    metadata          jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX webhook_endpoints_tenant ON postrider.webhook_endpoints (tenant_id, id);

CREATE TABLE postrider.webhook_endpoint_secrets (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    endpoint_id uuid NOT NULL REFERENCES postrider.webhook_endpoints ON DELETE CASCADE,
    algorithm   text NOT NULL DEFAULT 'v1' CHECK (algorithm IN ('v1')),
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz
);
CREATE INDEX webhook_endpoint_secrets_endpoint ON postrider.webhook_endpoint_secrets (endpoint_id);

-- One row a tenant, + 1 in every transaction that changes its endpoints or their secrets. Fan-out reads it in the
-- statement that claims events, so a cached endpoint can never be stale.
CREATE TABLE postrider.webhook_routing_versions (
    tenant_id text COLLATE "C" PRIMARY KEY,
    version   bigint NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION postrider.bump_routing_version() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_tenant text;
    v_limit  integer;
BEGIN
    IF TG_TABLE_NAME = 'webhook_endpoint_secrets' THEN
        SELECT e.tenant_id INTO v_tenant FROM postrider.webhook_endpoints e
        WHERE e.id = CASE TG_OP WHEN 'DELETE' THEN OLD.endpoint_id ELSE NEW.endpoint_id END;
        IF NOT FOUND THEN
            RETURN NULL; -- the endpoint is being deleted and bumps for itself
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        v_tenant := OLD.tenant_id;
    ELSE
        v_tenant := NEW.tenant_id;
    END IF;

    -- This row's lock orders all endpoint changes of one tenant, so the limit below has no race.
    INSERT INTO postrider.webhook_routing_versions AS v (tenant_id, version) VALUES (v_tenant, 1)
    ON CONFLICT (tenant_id) DO UPDATE SET version = v.version + 1;

    IF TG_TABLE_NAME = 'webhook_endpoints' AND TG_OP = 'INSERT' THEN
        SELECT i.max_endpoints_per_tenant INTO v_limit FROM postrider.installation i;
        IF (SELECT count(*) FROM (SELECT FROM postrider.webhook_endpoints e WHERE e.tenant_id = v_tenant LIMIT v_limit + 1) n) > v_limit THEN
            RAISE EXCEPTION USING ERRCODE = '54000',
                MESSAGE = format('postrider: tenant_id: tenant %s has reached its limit of %s endpoints', v_tenant, v_limit),
                HINT = 'delete an endpoint, or raise max_endpoints_per_tenant in postrider.installation';
        END IF;
    END IF;
    PERFORM pg_notify('webhook_endpoints_changed', v_tenant);
    RETURN NULL;
END $$;

CREATE TRIGGER bump_routing_version AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();
CREATE TRIGGER bump_routing_version AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_endpoint_secrets
    FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();

-- One event owed to one endpoint. `open` is small and hot; `closed` is history, a partition a day (by the time in the id).
-- The id is deterministic: 48 bits of the event's created_at in ms, then SHA-256 of tenant, event, endpoint and replay.
-- A lease is a next_attempt_at in the future plus a token: lease_owner (a worker's incarnation) and lease_no.
CREATE TABLE postrider.webhook_deliveries (
    id               uuid NOT NULL,
    endpoint_id      uuid NOT NULL,
    event_seq        bigint NOT NULL,
    event_created_at timestamptz NOT NULL,
    next_attempt_at  timestamptz,
    lease_owner      bigint,
    closed_at        timestamptz,
    lease_no         integer NOT NULL DEFAULT 0,
    last_duration_ms integer,
    attempts         smallint NOT NULL DEFAULT 0,
    replay           smallint NOT NULL DEFAULT 0,
    last_status      smallint,
    open             boolean NOT NULL,
    status           text NOT NULL CHECK (status IN ('pending', 'delivered', 'exhausted', 'rejected', 'skipped', 'expired', 'cancelled')),
    tenant_id        text COLLATE "C" NOT NULL,
    reason           text,
    last_error       text,
    order_key        text COLLATE "C",
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id, open),
    CONSTRAINT webhook_deliveries_open_is_pending CHECK (open = (status = 'pending') AND open = (next_attempt_at IS NOT NULL))
) PARTITION BY LIST (open);

CREATE TABLE postrider.webhook_deliveries_open PARTITION OF postrider.webhook_deliveries FOR VALUES IN (true)
WITH (
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
CREATE INDEX webhook_deliveries_open_due ON postrider.webhook_deliveries_open (endpoint_id, next_attempt_at);
CREATE INDEX webhook_deliveries_open_order ON postrider.webhook_deliveries_open (endpoint_id, order_key, event_seq) WHERE order_key IS NOT NULL;

CREATE TABLE postrider.webhook_deliveries_closed PARTITION OF postrider.webhook_deliveries FOR VALUES IN (false)
    PARTITION BY RANGE (id);

-- One HTTP request made for a delivery. Failures always; successes where the endpoint captures responses.
CREATE TABLE postrider.webhook_attempts (
    delivery_id      uuid NOT NULL,
    started_at       timestamptz NOT NULL,
    endpoint_id      uuid NOT NULL,
    duration_ms      integer NOT NULL,
    attempt          smallint NOT NULL,
    status           smallint,
    outcome          text NOT NULL CHECK (outcome IN ('delivered', 'retry', 'exhausted', 'rejected')),
    error            text,
    peer             inet,
    -- As received: bytes, not text, so no answer of a receiver can break its own record.
    response_headers bytea,
    response_body    bytea,
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, attempt, started_at)
) PARTITION BY RANGE (started_at);

-- The fleet: one row for each running worker process (incarnation).
CREATE TABLE postrider.webhook_workers (
    incarnation  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    pid          integer NOT NULL,
    version      text NOT NULL,
    roles        text[] NOT NULL,
    -- lock: alive while it holds the advisory lock on its incarnation. heartbeat: no session of its own to hold one.
    liveness     text NOT NULL CHECK (liveness IN ('lock', 'heartbeat')),
    wakeup       text NOT NULL CHECK (wakeup IN ('listen', 'poll')),
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
