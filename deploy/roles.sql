-- Roles for Postrider in one database. Run it there as a superuser before the first migration, and again after each:
--   psql -v ON_ERROR_STOP=1 -1 -f deploy/roles.sql "$DATABASE_URL"
-- It may be run any number of times. None of these roles can log in; grant them to roles that can:
--   CREATE ROLE postrider_daemon LOGIN PASSWORD '…' IN ROLE postrider_owner;      the daemon and its migrations
--   ALTER ROLE postrider_daemon SET role = 'postrider_owner';                     so that all it makes has one owner
--   GRANT postrider_publisher TO my_service;                                      a service that publishes
--   GRANT postrider_reader TO my_dashboard;                                       somebody who looks
--   GRANT postrider_operator TO my_operator;                                      somebody who pauses, resumes and redelivers by SQL
-- The daemon's API works as postrider_api for a tenant's key, and nobody logs in as it.

-- Owns the schema and nothing else. The daemon works as this role, because it makes and drops its own partitions.
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['postrider_owner', 'postrider_publisher', 'postrider_reader', 'postrider_operator', 'postrider_api'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
        END IF;
    END LOOP;
    GRANT postrider_api TO postrider_owner;
    -- CREATE SCHEMA IF NOT EXISTS asks for this even where the schema exists.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO postrider_owner', current_database());
END $$;
CREATE SCHEMA IF NOT EXISTS postrider AUTHORIZATION postrider_owner;

-- Everything below needs the tables and functions, so it does nothing before the first migration.
DO $$
DECLARE
    v_name     text;
    v_readable text[] := ARRAY[
        'audit_log', 'installation', 'jobs', 'partitions', 'tenants', 'v_backlog', 'v_endpoint_health', 'v_events', 'v_stuck', 'webhook_attempts', 'webhook_deliveries', 'webhook_delivery_batches',
        'webhook_egress_rules', 'webhook_endpoint_health', 'webhook_event_ids', 'webhook_event_types', 'webhook_events', 'webhook_events_failed',
        'webhook_events_pending', 'webhook_horizon', 'webhook_publish_failures', 'webhook_pull_cursors', 'webhook_routing_versions', 'webhook_switches',
        'webhook_workers'];
BEGIN
    -- What the first migrations could not do where they may not make roles.
    IF to_regprocedure('postrider.wall_off_tenants()') IS NOT NULL THEN
        PERFORM postrider.wall_off_tenants();
        -- In words that an index of events understands (V18); the wall is the same.
        IF to_regclass('postrider.webhook_events_tenant') IS NOT NULL THEN
            ALTER POLICY own_tenant ON postrider.webhook_events
                USING (tenant_id = postrider.acting_tenant() AND hashtext(tenant_id) = hashtext(postrider.acting_tenant()));
        END IF;
    END IF;
    IF to_regclass('postrider.webhook_event_types') IS NOT NULL THEN
        GRANT SELECT ON postrider.webhook_event_types TO postrider_api;
    END IF;

    -- Publishers: the doors, and no table behind them.
    GRANT USAGE ON SCHEMA postrider TO postrider_publisher, postrider_reader, postrider_operator;
    FOR v_name IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'postrider'::regnamespace
          AND p.proname IN ('publish', 'publish_best_effort', 'publish_v1', 'record_publish_failure_v1', 'event_id_v1',
                            'random_event_id_v1', 'event_problem_v1', 'data_problem_v1', 'event_schema_v1')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO postrider_publisher', v_name);
    END LOOP;

    -- Operators: functions that steer, and the views that say what to steer.
    FOR v_name IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'postrider'::regnamespace AND p.proname IN ('redeliver', 'pause', 'resume')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO postrider_operator', v_name);
    END LOOP;
    FOR v_name IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'postrider'::regnamespace AND c.relname IN ('v_events', 'v_backlog', 'v_endpoint_health', 'v_stuck')
    LOOP
        EXECUTE format('GRANT SELECT ON postrider.%I TO postrider_operator', v_name);
    END LOOP;
    -- What the wall's function does not grant to the API.
    IF to_regproc('postrider.set_paused_v1') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION postrider.set_paused_v1 TO postrider_api;
        GRANT INSERT (tenant_id, capture_engagement_events), UPDATE (capture_engagement_events, updated_at) ON postrider.tenants TO postrider_api;
    END IF;

    -- Readers: everything but what is sealed (the endpoints' secrets, headers, logins and TLS keys), not even sealed.
    FOR v_name IN
        SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'postrider'::regnamespace AND c.relname = ANY (v_readable)
    LOOP
        EXECUTE format('GRANT SELECT ON postrider.%I TO postrider_reader', v_name);
    END LOOP;
    FOR v_name IN
        SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = to_regclass('postrider.webhook_endpoints') AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname NOT LIKE '%sealed'
    LOOP
        EXECUTE format('GRANT SELECT (%I) ON postrider.webhook_endpoints TO postrider_reader', v_name);
    END LOOP;
    -- Earlier versions of this file gave some of them away.
    FOR v_name IN
        SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = to_regclass('postrider.webhook_endpoints') AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname LIKE '%sealed'
    LOOP
        EXECUTE format('REVOKE SELECT (%I) ON postrider.webhook_endpoints FROM postrider_reader', v_name);
    END LOOP;
END $$;
