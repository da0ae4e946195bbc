-- The catalog of event types: what they are, what their payloads look like, and whether anybody checks it.

-- No two versions of schemas are ever the same number, also where a type is removed and declared again: publishers keep what they compiled.
CREATE SEQUENCE postrider.webhook_event_type_versions;

-- Of the installation: a type means the same for every tenant.
CREATE TABLE postrider.webhook_event_types (
    name         text COLLATE "C" CONSTRAINT webhook_event_types_pkey PRIMARY KEY
                 CHECK (length(name) <= 128 AND name ~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$'),
    description  text CHECK (length(description) <= 2000),
    -- A payload as it may be, kept as it was given.
    example      json CHECK (octet_length(example::text) <= 65536),
    -- JSON Schema of the payload, kept as it was given.
    schema       json CHECK (octet_length(schema::text) <= 131072),
    -- What becomes of a payload that does not fit: nobody looks, it is logged, it is refused.
    schema_check text NOT NULL DEFAULT 'off' CHECK (schema_check IN ('off', 'report', 'enforce')),
    -- False: nobody declared it, fan-out has seen it.
    declared     boolean NOT NULL DEFAULT true,
    version      bigint NOT NULL DEFAULT nextval('postrider.webhook_event_type_versions'),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT webhook_event_types_check_needs_a_schema CHECK (schema_check = 'off' OR schema IS NOT NULL)
);

-- With a changed schema or check comes another version.
CREATE FUNCTION postrider.number_event_type() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.version := nextval('postrider.webhook_event_type_versions');
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION postrider.number_event_type() FROM PUBLIC;
CREATE TRIGGER number_event_type BEFORE UPDATE ON postrider.webhook_event_types
    FOR EACH ROW WHEN (OLD.schema::text IS DISTINCT FROM NEW.schema::text OR OLD.schema_check <> NEW.schema_check)
    EXECUTE FUNCTION postrider.number_event_type();

-- What fan-out has seen is nothing that anybody set.
CREATE TRIGGER audit AFTER INSERT ON postrider.webhook_event_types
    FOR EACH ROW WHEN (NEW.declared) EXECUTE FUNCTION postrider.audit('event_type', 'name', '');
CREATE TRIGGER audit_changes AFTER UPDATE OR DELETE ON postrider.webhook_event_types
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('event_type', 'name', '');

-- Whether publishing takes declared types only.
ALTER TABLE postrider.installation ADD COLUMN catalog_strict boolean NOT NULL DEFAULT false;
CREATE TRIGGER audit AFTER UPDATE OF catalog_strict ON postrider.installation
    FOR EACH ROW WHEN (OLD.catalog_strict <> NEW.catalog_strict) EXECUTE FUNCTION postrider.audit('installation', 'id', '');

-- Whether a type is none of the catalog's. A function, so that a catalog that is not strict costs a publisher nothing. The test of an endpoint
-- is always known; operator events take another way.
CREATE FUNCTION postrider.is_undeclared_v1(p_type text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN p_type <> 'postrider.test' AND NOT EXISTS (SELECT FROM postrider.webhook_event_types t WHERE t.name = p_type AND t.declared);
END $$;

-- Raises an error if the catalog is strict and a type is none of it.
CREATE FUNCTION postrider.refuse_undeclared_v1(p_type text) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT i.catalog_strict FROM postrider.installation i) AND postrider.is_undeclared_v1(p_type) THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'postrider: type: not declared in the catalog (event_type.undeclared)',
            HINT = 'nothing was published; declare it with "postrider types set", or see "postrider types strict"';
    END IF;
END $$;

-- The schema that payloads of a type are to be checked against: no row where none is. Its text only where the version is not the one that
-- the caller knows.
CREATE FUNCTION postrider.event_schema_v1(type text, known_version bigint DEFAULT NULL, OUT version bigint, OUT schema_check text, OUT schema text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT t.version, t.schema_check, CASE WHEN t.version IS DISTINCT FROM known_version THEN t.schema::text END
        FROM postrider.webhook_event_types t
        WHERE t.name = $1 AND t.schema_check <> 'off';
END $$;

-- As in V4, but for the two marked places.
CREATE OR REPLACE FUNCTION postrider.publish_v1(
    p_tenant text, p_id text, p_type text, p_data json, p_attributes jsonb, p_labels text[], p_ordering_key text,
    p_expires_after interval, p_traceparent text, p_notify boolean) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_data       text := p_data::text;
    v_attributes jsonb := nullif(p_attributes, '{}');
    v_labels     text[] := nullif(p_labels, '{}');
    v_digest     bytea;
    v_plain      boolean;
    v_outcome    text;
BEGIN
    -- What most events are, tested without a regular expression (2 instead of 10 µs); the others are examined one by one.
    v_plain := length(p_tenant) BETWEEN 1 AND 128 AND length(p_type) BETWEEN 1 AND 128 AND length(p_id) BETWEEN 1 AND 64
        AND translate(p_tenant || p_type || p_id, 'abcdefghijklmnopqrstuvwxyz0123456789_.ABCDEFGHIJKLMNOPQRSTUVWXYZ', '') = ''
        AND p_type NOT LIKE '.%' AND p_type NOT LIKE '%.' AND p_type NOT LIKE '%..%' AND p_id NOT LIKE '%.%'
        AND v_attributes IS NULL AND v_labels IS NULL AND p_ordering_key IS NULL AND p_expires_after IS NULL;
    IF v_plain IS NOT TRUE OR v_data IS NULL THEN
        PERFORM postrider.refuse_event_v1(p_tenant, p_id, p_type, v_data, v_attributes, v_labels, p_ordering_key, p_expires_after);
    END IF;

    -- Every part is length-prefixed, so no two different events concatenate to the same text.
    v_digest := substring(sha256(convert_to(
        length(p_type) || ':' || p_type || length(v_data) || ':' || v_data
        || coalesce('a' || v_attributes::text, '') || coalesce('l' || v_labels::text, '')
        || coalesce('o' || length(p_ordering_key) || ':' || p_ordering_key, ''), 'UTF8')) FROM 1 FOR 16);

    WITH ledger AS (
        INSERT INTO postrider.webhook_event_ids AS l (digest, tenant_id, id)
        SELECT v_digest, p_tenant, p_id FROM postrider.installation i
        WHERE octet_length(v_data) <= i.max_data_bytes
          AND NOT (i.switched_off AND postrider.is_switched_off_v1(p_tenant, p_type))
          AND NOT (i.catalog_strict AND postrider.is_undeclared_v1(p_type)) -- since V16
        ON CONFLICT (tenant_id, id) DO NOTHING
        RETURNING l.seq, l.created_at
    ), body AS (
        INSERT INTO postrider.webhook_events
            (seq, created_at, expires_at, tenant_id, id, type, ordering_key, traceparent, labels, attributes, envelope)
        SELECT l.seq, l.created_at, l.created_at + p_expires_after, p_tenant, p_id, p_type, p_ordering_key,
               -- A malformed one is dropped, as W3C Trace Context asks: it often comes from strangers.
               CASE WHEN p_traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN p_traceparent END, v_labels, v_attributes,
               '{"event":"' || p_type || '","id":"' || p_id || '","created_at":"'
               || to_char(l.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","data":' || v_data || '}'
        FROM ledger l
    )
    INSERT INTO postrider.webhook_events_pending (seq, created_at, next_attempt_at, bytes, keyed)
    SELECT l.seq, l.created_at, l.created_at, octet_length(v_data) + 100 /* the envelope around it */, p_ordering_key IS NOT NULL FROM ledger l;

    IF NOT FOUND THEN
        PERFORM postrider.refuse_event_v1(p_tenant, p_id, p_type, v_data, v_attributes, v_labels, p_ordering_key, p_expires_after);
        IF postrider.is_switched_off_v1(p_tenant, p_type) THEN
            RETURN 'disabled';
        END IF;
        PERFORM postrider.refuse_undeclared_v1(p_type); -- since V16
        -- A statement of its own: its snapshot sees the twin that the INSERT has just waited for.
        SELECT CASE WHEN l.digest = v_digest THEN 'duplicate' ELSE 'conflict' END INTO STRICT v_outcome
        FROM postrider.webhook_event_ids l WHERE l.tenant_id = p_tenant AND l.id = p_id;
        RETURN v_outcome;
    END IF;

    -- The wake-up gate: the shared lock is granted while a worker is awake, refused while one sleeps. Advisory locks belong
    -- to a database, and a database has one schema postrider, so a constant key does.
    IF current_setting('postrider.wakeup', true) IS DISTINCT FROM 'off'
        AND NOT pg_try_advisory_xact_lock_shared(1886352244, 1) AND p_notify THEN
        PERFORM pg_notify('webhook_events_new', '');
    END IF;
    RETURN 'inserted';
END $$;


REVOKE ALL ON FUNCTION postrider.is_undeclared_v1, postrider.refuse_undeclared_v1, postrider.event_schema_v1 FROM PUBLIC;
DO $$
BEGIN
    -- Where a role is missing, deploy/roles.sql does this.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'postrider_publisher') THEN
        GRANT EXECUTE ON FUNCTION postrider.event_schema_v1 TO postrider_publisher;
    END IF;
    -- A tenant's key reads the catalog, which is the same for all.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'postrider_api') THEN
        GRANT SELECT ON postrider.webhook_event_types TO postrider_api;
    END IF;
END $$;
