-- Events are three tables with one duty each: the ledger decides who was first, the body keeps what was said,
-- the pending row is the queue. Only postrider.publish_v1 (V3) writes them.

CREATE SCHEMA IF NOT EXISTS postrider;

-- One row: what this installation is, and the limits that publishing and endpoint changes enforce.
CREATE TABLE postrider.installation (
    singleton                boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id                       uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Kept by a trigger: whether webhook_switches has a row, so that an open switch costs a publisher nothing.
    switched_off             boolean NOT NULL DEFAULT false,
    max_data_bytes           integer NOT NULL DEFAULT 262144 CHECK (max_data_bytes BETWEEN 1024 AND 1048576),
    max_endpoints_per_tenant integer NOT NULL DEFAULT 50 CHECK (max_endpoints_per_tenant > 0)
);
INSERT INTO postrider.installation DEFAULT VALUES;

-- The ledger. Narrow and unpartitioned, so that ON CONFLICT holds over any horizon.
CREATE TABLE postrider.webhook_event_ids (
    seq        bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    digest     bytea NOT NULL,
    tenant_id  text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    CONSTRAINT webhook_event_ids_pkey PRIMARY KEY (tenant_id, id)
);
-- Rows arrive in seq order, so a block-range index serves retention and seq look-ups at next to no cost for publishers.
CREATE INDEX webhook_event_ids_seq ON postrider.webhook_event_ids USING brin (seq) WITH (pages_per_range = 16, autosummarize = on);

-- The body: append-only, a partition a day, never updated; retention drops partitions.
-- The envelope is text and sent byte for byte (jsonb would reorder keys and rewrite numbers).
CREATE TABLE postrider.webhook_events (
    seq          bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    tenant_id    text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    type         text COLLATE "C" NOT NULL,
    ordering_key text,
    traceparent  text,
    labels       text[],
    attributes   jsonb,
    envelope     text NOT NULL,
    CONSTRAINT webhook_events_pkey PRIMARY KEY (seq, created_at)
) PARTITION BY RANGE (created_at);

-- The queue: a row here is the pending state. Fan-out claims it with SKIP LOCKED and deletes it.
CREATE TABLE postrider.webhook_events_pending (
    seq             bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    bytes           integer NOT NULL,
    attempts        smallint NOT NULL DEFAULT 0,
    keyed           boolean NOT NULL,
    last_error      text,
    CONSTRAINT webhook_events_pending_pkey PRIMARY KEY (seq)
) WITH (
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);

-- Events that cannot be fanned out for a reason of their own; `postrider failed requeue` brings one back.
CREATE TABLE postrider.webhook_events_failed (
    seq        bigint NOT NULL,
    created_at timestamptz NOT NULL,
    failed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts   smallint NOT NULL,
    reason     text NOT NULL,
    last_error text,
    CONSTRAINT webhook_events_failed_pkey PRIMARY KEY (seq)
);

-- Kill switch: a row closes publishing for the installation (name ''), a tenant or an event type.
CREATE TABLE postrider.webhook_switches (
    scope     text NOT NULL CHECK (scope IN ('installation', 'tenant', 'type')),
    name      text COLLATE "C" NOT NULL,
    reason    text,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT webhook_switches_pkey PRIMARY KEY (scope, name)
);

CREATE FUNCTION postrider.note_switches() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE postrider.installation SET switched_off = EXISTS (SELECT FROM postrider.webhook_switches);
    RETURN NULL;
END $$;
CREATE TRIGGER note_switches AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_switches
    FOR EACH STATEMENT EXECUTE FUNCTION postrider.note_switches();

-- Best-effort publishes that failed: the caller's transaction went on, this says what was not published.
CREATE TABLE postrider.webhook_publish_failures (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_id text,
    event_id  text,
    type      text,
    reason    text NOT NULL
);
CREATE INDEX webhook_publish_failures_failed_at ON postrider.webhook_publish_failures (failed_at);
