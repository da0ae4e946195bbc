-- The only door for events. Every publisher, in Rust, SQL or HTTP, goes through publish_v1 in its own transaction, so
-- the tables stay private and can change behind it.

-- e2a's formula: first key part, type, further parts, joined with '|'; '|' and '\' inside a part are escaped with '\'.
CREATE FUNCTION postrider.event_id_v1(type text, key text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'evt_' || left(encode(sha256(convert_to(string_agg(p.part, '|' ORDER BY p.n), 'UTF8')), 'hex'), 32)
    FROM (
        SELECT CASE k.n WHEN 1 THEN 1 ELSE k.n + 1 END AS n, replace(replace(k.part, '\', '\\'), '|', '\|') AS part
        FROM unnest(key) WITH ORDINALITY AS k(part, n)
        UNION ALL
        SELECT 2, type
    ) p
$$;

-- Random ids, for events without a natural key: 16 random bytes.
CREATE FUNCTION postrider.random_event_id_v1() RETURNS text
LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'evt_' || left(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'), 32)
$$;

-- What is wrong with an event, as 'field: reason', or NULL. publish_v1 asks only when its cheap test says no.
CREATE FUNCTION postrider.event_problem_v1(
    p_tenant text, p_id text, p_type text, p_data text, p_attributes jsonb, p_labels text[], p_ordering_key text,
    p_expires_after interval, p_max_data_bytes integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN p_tenant IS NULL THEN 'tenant: required, must not be null (required)'
        WHEN p_tenant !~ '^[A-Za-z0-9._:-]{1,128}$' THEN 'tenant: must be 1 to 128 of A-Z a-z 0-9 . _ : - (tenant.syntax)'
        WHEN p_type IS NULL THEN 'type: required, must not be null (required)'
        WHEN length(p_type) > 128 THEN 'type: longer than 128 characters (event_type.length)'
        WHEN p_type !~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$' THEN 'type: must be dotted words of A-Z a-z 0-9 _ (event_type.syntax)'
        WHEN p_id IS NULL THEN 'id: required, must not be null (required)'
        WHEN p_id !~ '^[A-Za-z0-9_-]{1,64}$' THEN 'id: must be 1 to 64 of A-Z a-z 0-9 _ - (id.syntax)'
        WHEN p_data IS NULL THEN 'data: required, must not be null (required)'
        WHEN octet_length(p_data) > p_max_data_bytes THEN format('data: %s bytes, the limit is %s (payload.size)', octet_length(p_data), p_max_data_bytes)
        WHEN p_attributes IS NOT NULL AND jsonb_typeof(p_attributes) <> 'object' THEN 'attributes: must be a JSON object (attributes.type)'
        WHEN p_attributes IS NOT NULL AND (SELECT count(*) FROM jsonb_object_keys(p_attributes)) > 50 THEN 'attributes: more than 50 (attributes.count)'
        WHEN p_attributes IS NOT NULL AND EXISTS (SELECT FROM jsonb_each(p_attributes) a WHERE length(a.key) NOT BETWEEN 1 AND 64) THEN 'attributes: names must have 1 to 64 characters (attributes.name)'
        WHEN p_attributes IS NOT NULL AND EXISTS (SELECT FROM jsonb_each(p_attributes) a WHERE jsonb_typeof(a.value) IN ('object', 'array') OR octet_length(a.value::text) > 1026) THEN 'attributes: values must be scalars of at most 1024 bytes (attributes.value)'
        WHEN cardinality(p_labels) > 50 THEN 'labels: more than 50 (labels.count)'
        WHEN array_position(p_labels, NULL) IS NOT NULL OR EXISTS (SELECT FROM unnest(p_labels) l WHERE octet_length(l) NOT BETWEEN 1 AND 256) THEN 'labels: must have 1 to 256 bytes each (labels.length)'
        WHEN octet_length(p_ordering_key) NOT BETWEEN 1 AND 256 THEN 'ordering_key: must have 1 to 256 bytes (ordering_key.length)'
        WHEN p_expires_after <= interval '0' OR p_expires_after > interval '10 years' THEN 'expires_after: must be positive and at most ten years (expires_after.range)'
    END
$$;

-- Whether the kill switch is closed for this event. A function, so that an open switch costs a publisher nothing: the planner
-- would open the table for a sub-select even where it is never run.
CREATE FUNCTION postrider.is_switched_off_v1(p_tenant text, p_type text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM postrider.webhook_switches s
                   WHERE (s.scope, s.name) IN (('installation', ''), ('tenant', p_tenant), ('type', p_type)));
END $$;

-- Raises an error that names the field and the reason, if anything is wrong with an event.
CREATE FUNCTION postrider.refuse_event_v1(
    p_tenant text, p_id text, p_type text, p_data text, p_attributes jsonb, p_labels text[], p_ordering_key text,
    p_expires_after interval) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_problem text := postrider.event_problem_v1(p_tenant, p_id, p_type, p_data, p_attributes, p_labels, p_ordering_key, p_expires_after,
                                                 (SELECT i.max_data_bytes FROM postrider.installation i));
BEGIN
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'postrider: ' || v_problem,
            HINT = 'nothing was published; the limits are in the reference of postrider.publish';
    END IF;
END $$;

CREATE FUNCTION postrider.publish_v1(
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

CREATE FUNCTION postrider.record_publish_failure_v1(p_tenant text, p_id text, p_type text, p_reason text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO postrider.webhook_publish_failures (tenant_id, event_id, type, reason)
    VALUES (left(p_tenant, 200), left(p_id, 200), left(p_type, 200), left(p_reason, 2000))
$$;

-- Why a text is no JSON value that we send, or NULL. Its exception block is a subtransaction without an xid: cheap.
CREATE FUNCTION postrider.data_problem_v1(p_data text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_data IS NULL THEN
        RETURN 'data: required, must not be null (required)';
    ELSIF left(p_data, 1) = U&'\FEFF' THEN
        RETURN 'data: starts with a byte order mark (payload.bom)';
    END IF;
    PERFORM p_data::json;
    RETURN NULL;
EXCEPTION
    WHEN invalid_text_representation THEN RETURN 'data: not valid JSON (payload.syntax)';
    WHEN statement_too_complex THEN RETURN 'data: nested too deeply (payload.depth)';
END $$;

CREATE FUNCTION postrider.publish(
    type text, tenant text DEFAULT 'default', data text DEFAULT '{}', key text[] DEFAULT NULL, id text DEFAULT NULL,
    attributes jsonb DEFAULT NULL, labels text[] DEFAULT NULL, ordering_key text DEFAULT NULL,
    expires_after interval DEFAULT NULL, traceparent text DEFAULT NULL,
    OUT event_id text, OUT outcome text) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_problem text := CASE
        WHEN id IS NOT NULL AND key IS NOT NULL THEN 'key: give either key or id, not both (key.conflict)'
        WHEN key IS NOT NULL AND (cardinality(key) = 0 OR array_position(key, NULL) IS NOT NULL) THEN 'key: must have at least one part and no nulls (key.syntax)'
        ELSE postrider.data_problem_v1(data) END;
BEGIN
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'postrider: ' || v_problem, HINT = 'nothing was published';
    END IF;
    event_id := CASE WHEN id IS NOT NULL THEN id
                     WHEN key IS NOT NULL THEN postrider.event_id_v1(type, key)
                     ELSE postrider.random_event_id_v1() END;
    outcome := postrider.publish_v1(tenant, event_id, type, data::json, attributes, labels, ordering_key, expires_after, traceparent, true);
    RETURN NEXT;
END $$;

CREATE FUNCTION postrider.publish(
    type text, tenant text, data jsonb, key text[] DEFAULT NULL, id text DEFAULT NULL,
    attributes jsonb DEFAULT NULL, labels text[] DEFAULT NULL, ordering_key text DEFAULT NULL,
    expires_after interval DEFAULT NULL, traceparent text DEFAULT NULL,
    OUT event_id text, OUT outcome text) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM postrider.publish(type, tenant, data::text, key, id, attributes, labels, ordering_key, expires_after, traceparent)
$$;

-- For after an irreversible side effect: never harms the caller's transaction, never notifies, records what failed.
CREATE FUNCTION postrider.publish_best_effort(
    type text, tenant text DEFAULT 'default', data text DEFAULT '{}', key text[] DEFAULT NULL, id text DEFAULT NULL,
    attributes jsonb DEFAULT NULL, labels text[] DEFAULT NULL, ordering_key text DEFAULT NULL,
    expires_after interval DEFAULT NULL, traceparent text DEFAULT NULL,
    OUT event_id text, OUT outcome text) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_reason       text;
    v_lock_timeout text := current_setting('lock_timeout');
BEGIN
    BEGIN
        -- Comes before any other time-out, so a twin held uncommitted elsewhere costs the caller 50 ms at most.
        PERFORM set_config('lock_timeout', '50ms', true);
        event_id := CASE WHEN id IS NOT NULL THEN id
                         WHEN key IS NOT NULL THEN postrider.event_id_v1(type, key)
                         ELSE postrider.random_event_id_v1() END;
        v_reason := postrider.data_problem_v1(data);
        IF v_reason IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'postrider: ' || v_reason;
        END IF;
        outcome := postrider.publish_v1(tenant, event_id, type, data::json, attributes, labels, ordering_key, expires_after, traceparent, false);
        PERFORM set_config('lock_timeout', v_lock_timeout, true);
    EXCEPTION WHEN OTHERS THEN
        outcome := 'failed';
        v_reason := SQLSTATE || ' ' || SQLERRM;
    END;
    IF outcome = 'failed' THEN
        BEGIN
            PERFORM postrider.record_publish_failure_v1(tenant, event_id, type, v_reason);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'postrider: best-effort publish of % failed and could not be recorded: %', type, v_reason;
        END;
    END IF;
    RETURN NEXT;
END $$;

-- Publishers get EXECUTE on the doors and nothing else.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA postrider FROM PUBLIC;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postrider_publisher') THEN
        BEGIN
            CREATE ROLE postrider_publisher NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this cluster was migrated just now
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'postrider: may not create the role postrider_publisher; run deploy/roles.sql as a superuser';
                RETURN;
        END;
    END IF;
    GRANT USAGE ON SCHEMA postrider TO postrider_publisher;
    GRANT EXECUTE ON FUNCTION postrider.event_id_v1, postrider.random_event_id_v1, postrider.event_problem_v1, postrider.refuse_event_v1, postrider.is_switched_off_v1, postrider.data_problem_v1,
        postrider.publish_v1, postrider.record_publish_failure_v1, postrider.publish_best_effort,
        postrider.publish(text, text, text, text[], text, jsonb, text[], text, interval, text),
        postrider.publish(text, text, jsonb, text[], text, jsonb, text[], text, interval, text) TO postrider_publisher;
END $$;
