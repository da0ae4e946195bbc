-- Who may ask the API, what they and everybody else changed, and a wall between tenants that stands in the database itself.

CREATE TABLE postrider.api_keys (
    id           uuid PRIMARY KEY,
    -- NULL: an admin key, for everything of everybody.
    tenant_id    text COLLATE "C" CHECK (tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- SHA-256 of the key, which has 256 random bits: nothing slower is needed.
    hash         bytea NOT NULL CONSTRAINT api_keys_hash UNIQUE CHECK (octet_length(hash) = 32),
    -- Its last characters, by which people tell their keys apart.
    hint         text NOT NULL CHECK (length(hint) = 4),
    scopes       text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 3 AND scopes <@ '{read,write,publish}'),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    -- To the minute.
    last_used_at timestamptz,
    revoked_at   timestamptz
) WITH (fillfactor = 80);
CREATE INDEX api_keys_tenant ON postrider.api_keys (tenant_id, id);

-- An answer that was given to a POST with an Idempotency-Key, to be given again.
CREATE TABLE postrider.idempotency_keys (
    -- SHA-256 of who asked, what for, and the key.
    id           bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    -- SHA-256 of the body.
    request      bytea NOT NULL CHECK (octet_length(request) = 32),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- NULL while the first request is under way.
    status       smallint,
    content_type text,
    body_sealed  bytea
);
CREATE INDEX idempotency_keys_created ON postrider.idempotency_keys (created_at);

-- Every change of what people set: who, what, from where. Written by triggers, so that no way in goes round it.
CREATE TABLE postrider.audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- NULL: of the installation.
    tenant_id  text COLLATE "C",
    -- key:<id>, cli:<user>, worker, or sql:<role>.
    actor      text NOT NULL,
    address    inet,
    request_id text,
    -- As endpoint.updated.
    action     text NOT NULL,
    subject    text NOT NULL,
    -- {column: {from, to}}; of what is sealed only that it changed.
    changes    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_tenant ON postrider.audit_log (tenant_id, id);

-- $1 noun, $2 the column that names the subject, $3 its prefix. Of a column named *sealed or hash nobody reads anything here, and of a column
-- that changes by itself nothing is said.
CREATE FUNCTION postrider.audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_old     jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    v_new     jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    v_row     jsonb := v_old || v_new;
    v_changes jsonb;
    v_tenant  text := v_row ->> 'tenant_id';
BEGIN
    SELECT jsonb_object_agg(k.key, CASE WHEN k.key ~ '(sealed|^hash)$' THEN '"changed"'
                                        ELSE jsonb_strip_nulls(jsonb_build_object('from', v_old -> k.key, 'to', v_new -> k.key)) END)
    INTO v_changes
    FROM jsonb_object_keys(v_row) AS k (key)
    WHERE (v_old -> k.key) IS DISTINCT FROM (v_new -> k.key) AND k.key NOT IN ('updated_at', 'last_used_at')
      AND NOT (TG_OP <> 'UPDATE' AND coalesce(v_new -> k.key, v_old -> k.key) = 'null');
    IF v_changes IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'webhook_endpoint_secrets' THEN
        SELECT e.tenant_id INTO v_tenant FROM postrider.webhook_endpoints e WHERE e.id = (v_row ->> 'endpoint_id')::uuid;
        IF NOT FOUND THEN
            RETURN NULL; -- it goes with its endpoint, which says so
        END IF;
    ELSIF v_row ->> 'scope' = 'tenant' THEN
        v_tenant := v_row ->> 'name';
    END IF;
    INSERT INTO postrider.audit_log (tenant_id, actor, address, request_id, action, subject, changes)
    VALUES (v_tenant, coalesce(nullif(current_setting('postrider.actor', true), ''), 'sql:' || session_user),
            coalesce(nullif(current_setting('postrider.address', true), '')::inet, inet_client_addr()),
            nullif(current_setting('postrider.request_id', true), ''),
            TG_ARGV[0] || CASE TG_OP WHEN 'INSERT' THEN '.created' WHEN 'UPDATE' THEN '.updated' ELSE '.deleted' END,
            TG_ARGV[2] || CASE TG_ARGV[2] WHEN '' THEN v_row ->> TG_ARGV[1] ELSE replace(v_row ->> TG_ARGV[1], '-', '') END, v_changes);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION postrider.audit() FROM PUBLIC;

CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('endpoint', 'id', 'whk_');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_endpoint_secrets
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('secret', 'endpoint_id', 'whk_');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON postrider.tenants
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('tenant', 'tenant_id', '');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_egress_rules
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('egress', 'tenant_id', '');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON postrider.webhook_switches
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('switch', 'name', '');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON postrider.api_keys
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('api_key', 'id', 'key_');

-- The tenant on whose behalf this transaction works; NULL: nobody's.
CREATE FUNCTION postrider.acting_tenant() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT nullif(current_setting('postrider.tenant_id', true), '') $$;

-- Who changes an endpoint tells of it, of its own tenant, and needs nothing else for that.
CREATE OR REPLACE FUNCTION postrider.tell_of_endpoint_v1(p_endpoint uuid, p_tenant text, p_type text, p_data jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF postrider.acting_tenant() <> p_tenant THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'postrider: this transaction works for another tenant';
    END IF;
    PERFORM postrider.publish_operator_v1(p_tenant, postrider.random_event_id_v1(), p_type,
        (jsonb_build_object('endpoint_id', postrider.endpoint_text_v1(p_endpoint)) || p_data)::json, p_endpoint);
END $$;

-- Requests with a tenant's key are made as the role postrider_api, which sees nothing of other tenants, whatever a statement forgot to
-- ask for. For everybody else a row security that is enabled here changes nothing: a permissive policy lets all roles see all, and a
-- restrictive one binds this role. Every table with a tenant_id is behind the wall, whether the role may use it or not.
-- May be called any number of times, and is by deploy/roles.sql. False: the role is missing and may not be made here.
-- It needs many tables for itself for a moment, and waits for none of them long: what waits behind it goes on.
CREATE FUNCTION postrider.wall_off_tenants() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    v_table text;
    v_by    text;
    v_owner text;
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postrider_api') THEN
            BEGIN
                CREATE ROLE postrider_api NOLOGIN;
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this cluster was migrated just now
            END;
        END IF;
        -- Whoever owns the schema works as the role. Who made it is a member from PostgreSQL 16 on, but may not become it without this.
        SELECT r.rolname INTO v_owner FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
        WHERE n.nspname = 'postrider' AND NOT r.rolsuper;
        IF FOUND THEN
            EXECUTE format('GRANT postrider_api TO %I', v_owner);
        END IF;
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE NOTICE 'postrider: may not make the role postrider_api, or grant it; run deploy/roles.sql as a superuser';
            RETURN false;
    END;
    GRANT USAGE ON SCHEMA postrider TO postrider_api;
    GRANT EXECUTE ON FUNCTION postrider.acting_tenant(), postrider.tell_of_endpoint_v1 TO postrider_api;

    FOR v_table, v_by IN
        SELECT c.relname, 'tenant_id = postrider.acting_tenant()'
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p')
          AND (NOT c.relispartition OR c.relname IN ('webhook_deliveries_open', 'webhook_deliveries_closed'))
        UNION ALL
        SELECT t, 'EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = endpoint_id)'
        FROM unnest('{webhook_endpoint_secrets,webhook_endpoint_health,webhook_attempts,webhook_delivery_batches}'::text[]) t
        UNION ALL
        SELECT t, format('EXISTS (SELECT FROM postrider.webhook_events e WHERE e.seq = %1$I.seq AND e.created_at = %1$I.created_at)', t)
        FROM unnest('{webhook_events_pending,webhook_events_failed}'::text[]) t
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_policy p WHERE p.polname = 'own_tenant' AND p.polrelid = format('postrider.%I', v_table)::regclass);
        EXECUTE format('CREATE POLICY everybody ON postrider.%I USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('CREATE POLICY own_tenant ON postrider.%I AS RESTRICTIVE TO postrider_api USING (%s) WITH CHECK (%s)', v_table, v_by, v_by);
        EXECUTE format('ALTER TABLE postrider.%I ENABLE ROW LEVEL SECURITY', v_table);
    END LOOP;

    GRANT SELECT ON postrider.installation, postrider.webhook_event_ids, postrider.webhook_events, postrider.webhook_events_pending,
        postrider.webhook_events_failed, postrider.webhook_deliveries, postrider.webhook_deliveries_open, postrider.webhook_deliveries_closed,
        postrider.webhook_attempts, postrider.webhook_delivery_batches, postrider.webhook_endpoint_health, postrider.webhook_routing_versions,
        postrider.webhook_egress_rules, postrider.tenants, postrider.audit_log TO postrider_api;
    GRANT SELECT, INSERT, UPDATE, DELETE ON postrider.webhook_endpoints, postrider.webhook_endpoint_secrets,
        postrider.webhook_deliveries_open TO postrider_api;
    GRANT INSERT, UPDATE, DELETE ON postrider.webhook_endpoint_health TO postrider_api;
    GRANT INSERT ON postrider.webhook_deliveries, postrider.webhook_deliveries_closed TO postrider_api;
    IF to_regclass('postrider.jobs') IS NOT NULL THEN
        GRANT SELECT, INSERT ON postrider.jobs TO postrider_api;
        GRANT UPDATE (stop, state, finished_at) ON postrider.jobs TO postrider_api;
    END IF;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION postrider.wall_off_tenants() FROM PUBLIC;
SELECT postrider.wall_off_tenants();
