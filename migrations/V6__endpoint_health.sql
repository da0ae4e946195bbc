-- What is known about endpoints that fail, and the events by which Postrider speaks of its own work.

-- One row for an endpoint that ever failed. It changes often, so it is no column of the endpoint (whose changes count the
-- routing version up), and successes of a healthy endpoint never write here. Every worker changes it by compare-and-set on
-- `revision`. A probe is a lease: `probe_owner` is a worker's incarnation, and the probe is its alone until `probe_until`.
CREATE TABLE postrider.webhook_endpoint_health (
    endpoint_id          uuid PRIMARY KEY REFERENCES postrider.webhook_endpoints (id) ON DELETE CASCADE,
    revision             bigint NOT NULL DEFAULT 1,
    circuit              text NOT NULL DEFAULT 'closed' CHECK (circuit IN ('closed', 'open', 'half_open')),
    consecutive_failures integer NOT NULL DEFAULT 0 CHECK (consecutive_failures >= 0),
    failed_probes        integer NOT NULL DEFAULT 0 CHECK (failed_probes >= 0),
    opened_at            timestamptz,
    next_probe_at        timestamptz,
    probe_owner          bigint,
    probe_until          timestamptz,
    paused_until         timestamptz,
    first_failure_at     timestamptz,
    last_success_at      timestamptz,
    warned               boolean NOT NULL DEFAULT false,
    CONSTRAINT webhook_endpoint_health_open_has_a_probe CHECK (circuit = 'closed' OR next_probe_at IS NOT NULL),
    CONSTRAINT webhook_endpoint_health_probe_is_a_lease CHECK ((probe_owner IS NOT NULL) = (circuit = 'half_open') AND (probe_owner IS NULL) = (probe_until IS NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off);
-- What workers look at every second: those that are not well.
CREATE INDEX webhook_endpoint_health_unwell ON postrider.webhook_endpoint_health (endpoint_id)
    WHERE first_failure_at IS NOT NULL OR paused_until IS NOT NULL;

-- Publishes an event about Postrider's own work, in the transaction that changes what it speaks of. It asks neither switches nor
-- schemas nor limits, so no change can fail by it. The attribute names the endpoint, to which fan-out never sends it.
CREATE FUNCTION postrider.publish_operator_v1(p_tenant text, p_id text, p_type text, p_data json, p_endpoint uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_data       text := p_data::text;
    v_attributes jsonb := jsonb_build_object('endpoint_id', postrider.endpoint_text_v1(p_endpoint));
BEGIN
    WITH ledger AS (
        INSERT INTO postrider.webhook_event_ids AS l (digest, tenant_id, id)
        VALUES (substring(sha256(convert_to(
                    length(p_type) || ':' || p_type || length(v_data) || ':' || v_data || 'a' || v_attributes::text, 'UTF8')) FROM 1 FOR 16),
                p_tenant, p_id)
        ON CONFLICT (tenant_id, id) DO NOTHING
        RETURNING l.seq, l.created_at
    ), body AS (
        INSERT INTO postrider.webhook_events (seq, created_at, tenant_id, id, type, attributes, envelope)
        SELECT l.seq, l.created_at, p_tenant, p_id, p_type, v_attributes,
               '{"event":"' || p_type || '","id":"' || p_id || '","created_at":"'
               || to_char(l.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","data":' || v_data || '}'
        FROM ledger l
    )
    INSERT INTO postrider.webhook_events_pending (seq, created_at, next_attempt_at, bytes, keyed)
    SELECT l.seq, l.created_at, l.created_at, octet_length(v_data) + 100, false FROM ledger l;

    -- The same gate as in publish_v1.
    IF FOUND AND current_setting('postrider.wakeup', true) IS DISTINCT FROM 'off'
        AND NOT pg_try_advisory_xact_lock_shared(1886352244, 1) THEN
        PERFORM pg_notify('webhook_events_new', '');
    END IF;
END $$;

-- An endpoint's id as people see it.
CREATE FUNCTION postrider.endpoint_text_v1(p_endpoint uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'whk_' || replace(p_endpoint::text, '-', '')
$$;

-- Speaks of an endpoint, to whoever of its tenant asked for such events by name.
CREATE FUNCTION postrider.tell_of_endpoint_v1(p_endpoint uuid, p_tenant text, p_type text, p_data jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT postrider.publish_operator_v1(p_tenant, postrider.random_event_id_v1(), p_type,
        (jsonb_build_object('endpoint_id', postrider.endpoint_text_v1(p_endpoint)) || p_data)::json, p_endpoint)
$$;

REVOKE ALL ON FUNCTION postrider.publish_operator_v1, postrider.endpoint_text_v1, postrider.tell_of_endpoint_v1 FROM PUBLIC;

-- Requests a second to one endpoint, from the whole fleet; NULL: as many as it takes.
ALTER TABLE postrider.webhook_endpoints
    ADD COLUMN rate_limit integer CONSTRAINT webhook_endpoints_rate_limit CHECK (rate_limit BETWEEN 1 AND 100000);
