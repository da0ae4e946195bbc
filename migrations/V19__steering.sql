-- Steering: endpoints that people pause, functions for operators, a tenant's own settings, and how long the audit log and jobs are kept.

-- What is owed to a paused endpoint waits, and no attempt starts. Unlike what is known of its health, this lasts until somebody ends it.
ALTER TABLE postrider.webhook_endpoints
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_reason text CONSTRAINT webhook_endpoints_paused_reason CHECK (length(paused_reason) <= 200),
    ADD CONSTRAINT webhook_endpoints_paused_for_a_reason CHECK (paused_reason IS NULL OR paused_at IS NOT NULL);
-- What workers look at every second, and before each pull. One that is disabled is not among them: what it is owed is cancelled.
CREATE INDEX webhook_endpoints_paused ON postrider.webhook_endpoints (id) WHERE paused_at IS NOT NULL AND enabled;

-- Pauses an endpoint or lets it go on, with a clean record of its health: it may have been failing when it was paused, and shows by its
-- next attempts how it is. False: it is gone, or was so already. Whoever calls this needs the right to change the endpoint.
CREATE FUNCTION postrider.set_paused_v1(p_endpoint uuid, p_paused boolean, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE postrider.webhook_endpoints e
    SET paused_at = CASE WHEN p_paused THEN clock_timestamp() END, paused_reason = CASE WHEN p_paused THEN p_reason END,
        updated_at = clock_timestamp()
    WHERE e.id = p_endpoint AND (e.paused_at IS NOT NULL) <> p_paused;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF NOT p_paused THEN
        DELETE FROM postrider.webhook_endpoint_health h WHERE h.endpoint_id = p_endpoint;
    END IF;
    RETURN true;
END $$;

-- The endpoint of an id as people see it; p_name is the parameter that an error names.
CREATE FUNCTION postrider.endpoint_of_text_v1(p_name text, p_id text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_id IS NULL OR p_id !~ '^whk_[0-9a-f]{32}$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('postrider: %s: %s is not the id of an endpoint: expected whk_ and 32 lower-case hex digits', p_name, coalesce(quote_literal(left(p_id, 64)), 'null'));
    END IF;
    RETURN substr(p_id, 5)::uuid;
END $$;

-- The id of the delivery of one event to one endpoint: what DeliveryId::derive makes in Rust. A version-8 UUID: 48 bits of the event's time in
-- ms, then the head of SHA-256 over tenant, event, endpoint and replay number, each behind its length.
CREATE FUNCTION postrider.delivery_id_v1(p_created_at timestamptz, p_tenant text, p_event text, p_endpoint uuid, p_replay integer) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(set_byte(set_byte(b.bytes, 6, get_byte(b.bytes, 6) & 15 | 128), 8, get_byte(b.bytes, 8) & 63 | 128), 'hex')::uuid
    FROM (
        SELECT substr(int8send(floor(extract(epoch FROM p_created_at) * 1000)::bigint), 3)
               || substr(sha256(int4send(octet_length(p_tenant)) || convert_to(p_tenant, 'UTF8')
                                || int4send(octet_length(p_event)) || convert_to(p_event, 'UTF8')
                                || int4send(16) || uuid_send(p_endpoint)
                                || int4send(2) || substr(int4send(p_replay), 3)), 1, 10) AS bytes
    ) b
$$;

-- Pauses an endpoint: deliveries go on being made for it and wait. False: it was paused already. After the commit nothing starts any more
-- within 2.5 s; what is in flight ends and is recorded.
CREATE FUNCTION postrider.pause(endpoint_id text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_endpoint uuid := postrider.endpoint_of_text_v1('endpoint_id', endpoint_id);
BEGIN
    IF length(reason) > 200 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'postrider: reason: must have at most 200 characters';
    END IF;
    IF NOT EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = v_endpoint) THEN
        RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = format('postrider: endpoint_id: there is no endpoint %s', endpoint_id);
    END IF;
    RETURN postrider.set_paused_v1(v_endpoint, true, reason);
END $$;

-- Lets a paused endpoint go on: what waited goes at once, in the usual pace. False: it was not paused.
CREATE FUNCTION postrider.resume(endpoint_id text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_endpoint uuid := postrider.endpoint_of_text_v1('endpoint_id', endpoint_id);
BEGIN
    IF NOT EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = v_endpoint) THEN
        RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = format('postrider: endpoint_id: there is no endpoint %s', endpoint_id);
    END IF;
    RETURN postrider.set_paused_v1(v_endpoint, false, NULL);
END $$;

CREATE TYPE postrider.redelivered AS (
    endpoint_id text,
    delivery_id text,
    -- owed, still_owed (open, as that delivery) or endpoint_disabled.
    outcome     text
);

-- Owes an event once more to every endpoint that it was sent to, or to one, whether it ever had it or not. The request has the event's id as
-- before, the delivery one of its own.
CREATE FUNCTION postrider.redeliver(event_id text, tenant text DEFAULT 'default', endpoint_id text DEFAULT NULL)
RETURNS SETOF postrider.redelivered
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_event    text := event_id;
    v_tenant   text := tenant;
    v_asked    text := endpoint_id;
    v_one      uuid;
    v_found    record;
    v_ms       text;
    v_low      uuid;
    v_high     uuid;
    v_endpoint uuid;
    v_enabled  boolean;
    v_open     uuid;
    v_replay   integer;
    v_delivery uuid;
    v_answer   postrider.redelivered;
    v_owed     jsonb := '{}';
BEGIN
    -- Locked, so that two who redeliver it at once draw different replay numbers.
    SELECT l.seq, l.created_at INTO v_found FROM postrider.webhook_event_ids l WHERE l.tenant_id = v_tenant AND l.id = v_event FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'P0002',
            MESSAGE = format('postrider: event_id: there is no event %s of tenant %s', coalesce(left(v_event, 64), 'null'), coalesce(left(v_tenant, 128), 'null'));
    END IF;
    IF v_asked IS NOT NULL THEN
        v_one := postrider.endpoint_of_text_v1('endpoint_id', v_asked);
        IF NOT EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = v_one AND e.tenant_id = v_tenant) THEN
            RAISE EXCEPTION USING ERRCODE = 'P0002',
                MESSAGE = format('postrider: endpoint_id: there is no endpoint %s of tenant %s', v_asked, left(v_tenant, 128));
        END IF;
    END IF;
    IF EXISTS (SELECT FROM postrider.webhook_events_pending p WHERE p.seq = v_found.seq) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('postrider: event_id: %s is not fanned out yet', v_event);
    ELSIF EXISTS (SELECT FROM postrider.webhook_events_failed f WHERE f.seq = v_found.seq) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('postrider: event_id: %s could not be fanned out', v_event),
            HINT = 'postrider failed requeue brings it back';
    ELSIF NOT EXISTS (SELECT FROM postrider.webhook_events b WHERE b.seq = v_found.seq AND b.created_at = v_found.created_at) THEN
        RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = format('postrider: event_id: retention removed the body of %s', v_event);
    END IF;
    -- All deliveries of an event begin with its time in ms.
    v_ms := encode(substr(int8send(floor(extract(epoch FROM v_found.created_at) * 1000)::bigint), 3), 'hex');
    v_low := (v_ms || repeat('0', 20))::uuid;
    v_high := (v_ms || repeat('f', 20))::uuid;

    FOR v_endpoint IN
        SELECT DISTINCT d.endpoint_id FROM postrider.webhook_deliveries d
        WHERE v_one IS NULL AND d.id BETWEEN v_low AND v_high AND d.event_seq = v_found.seq
        UNION ALL
        SELECT v_one WHERE v_one IS NOT NULL
        ORDER BY 1
    LOOP
        -- One that is disabled at this moment gets nothing.
        v_enabled := false;
        SELECT e.enabled AND e.kind <> 'pull' INTO v_enabled FROM postrider.webhook_endpoints e WHERE e.id = v_endpoint FOR KEY SHARE;
        v_answer := ROW(postrider.endpoint_text_v1(v_endpoint), NULL, 'endpoint_disabled');
        IF v_enabled THEN
            SELECT (array_agg(d.id) FILTER (WHERE d.open))[1], coalesce(max(d.replay) + 1, 0) INTO v_open, v_replay
            FROM postrider.webhook_deliveries d
            WHERE d.id BETWEEN v_low AND v_high AND d.event_seq = v_found.seq AND d.endpoint_id = v_endpoint;
            v_delivery := coalesce(v_open, postrider.delivery_id_v1(v_found.created_at, v_tenant, v_event, v_endpoint, v_replay));
            IF v_open IS NULL THEN
                INSERT INTO postrider.webhook_deliveries_open
                    (id, endpoint_id, event_seq, event_created_at, tenant_id, replay, open, status, next_attempt_at)
                SELECT v_delivery, v_endpoint, v_found.seq, v_found.created_at, v_tenant, v_replay, true, 'pending', clock_timestamp()
                -- Somebody may have done the same just now.
                WHERE NOT EXISTS (SELECT FROM postrider.webhook_deliveries_closed c WHERE c.id = v_delivery)
                ON CONFLICT (id, open) DO NOTHING;
                IF NOT FOUND THEN
                    v_open := v_delivery;
                ELSE
                    v_owed := v_owed || jsonb_build_object(postrider.endpoint_text_v1(v_endpoint), 'whd_' || replace(v_delivery::text, '-', ''));
                END IF;
            END IF;
            v_answer.delivery_id := 'whd_' || replace(v_delivery::text, '-', '');
            v_answer.outcome := CASE WHEN v_open IS NULL THEN 'owed' ELSE 'still_owed' END;
        END IF;
        RETURN NEXT v_answer;
    END LOOP;
    IF v_owed <> '{}' THEN
        PERFORM pg_notify('webhook_endpoints_changed', '');
        INSERT INTO postrider.audit_log (tenant_id, actor, address, request_id, action, subject, changes)
        VALUES (v_tenant, coalesce(nullif(current_setting('postrider.actor', true), ''), 'sql:' || session_user), inet_client_addr(),
                nullif(current_setting('postrider.request_id', true), ''), 'event.redelivered', v_event, jsonb_build_object('deliveries', v_owed));
    END IF;
END $$;

REVOKE ALL ON FUNCTION postrider.set_paused_v1, postrider.endpoint_of_text_v1, postrider.delivery_id_v1, postrider.pause, postrider.resume,
    postrider.redeliver FROM PUBLIC;

-- A setting of a tenant's own: whether events about what people did with its e-mails go to analytics. No row: they do not.
ALTER TABLE postrider.tenants ADD COLUMN capture_engagement_events boolean NOT NULL DEFAULT false;

-- The tenant whose key made the change; NULL: somebody who is no tenant, whose address is not for tenants to see.
ALTER TABLE postrider.audit_log ADD COLUMN acting_tenant text COLLATE "C" DEFAULT postrider.acting_tenant();
-- What retention and exports go by.
CREATE INDEX audit_log_at ON postrider.audit_log (at, id);
CREATE INDEX jobs_finished ON postrider.jobs (finished_at) WHERE finished_at IS NOT NULL;

-- The views know of endpoints that are paused.
CREATE OR REPLACE VIEW postrider.v_backlog AS
SELECT 'whk_' || replace(e.id::text, '-', '') AS endpoint_id, e.tenant_id, e.url, e.enabled, due.count AS due, later.count AS later, oldest.due_since,
       e.paused_at
FROM postrider.webhook_endpoints e
CROSS JOIN LATERAL (
    SELECT count(*) FROM (SELECT FROM postrider.webhook_deliveries_open d
                          WHERE d.endpoint_id = e.id AND d.next_attempt_at <= (SELECT clock_timestamp()) LIMIT 10001) capped
) due
CROSS JOIN LATERAL (
    SELECT count(*) FROM (SELECT FROM postrider.webhook_deliveries_open d
                          WHERE d.endpoint_id = e.id AND d.next_attempt_at > (SELECT clock_timestamp()) LIMIT 10001) capped
) later
LEFT JOIN LATERAL (
    SELECT d.next_attempt_at AS due_since FROM postrider.webhook_deliveries_open d
    WHERE d.endpoint_id = e.id AND d.next_attempt_at <= (SELECT clock_timestamp())
    ORDER BY d.next_attempt_at
    LIMIT 1
) oldest ON true;

CREATE OR REPLACE VIEW postrider.v_endpoint_health AS
SELECT 'whk_' || replace(e.id::text, '-', '') AS endpoint_id, e.tenant_id, e.url, e.enabled, e.disabled_reason, coalesce(h.circuit, 'closed') AS circuit,
       coalesce(h.consecutive_failures, 0) AS consecutive_failures, h.opened_at, h.next_probe_at, nullif(h.paused_until, '-infinity') AS paused_until,
       h.first_failure_at, h.last_success_at, h.warned_at, e.paused_at, e.paused_reason
FROM postrider.webhook_endpoints e
LEFT JOIN postrider.webhook_endpoint_health h ON h.endpoint_id = e.id;

CREATE OR REPLACE VIEW postrider.v_stuck AS
SELECT 'event_pending' AS kind, e.tenant_id, e.id AS subject, p.created_at AS since, p.last_error AS detail
FROM postrider.webhook_events_pending p
LEFT JOIN postrider.webhook_events e ON e.seq = p.seq AND e.created_at = p.created_at
WHERE p.created_at < clock_timestamp() - interval '1 min'
UNION ALL
SELECT 'event_failed', e.tenant_id, e.id, f.failed_at, f.reason || coalesce(': ' || f.last_error, '')
FROM postrider.webhook_events_failed f
LEFT JOIN postrider.webhook_events e ON e.seq = f.seq AND e.created_at = f.created_at
UNION ALL
SELECT 'publish_failed', p.tenant_id, p.event_id, p.failed_at, p.reason
FROM postrider.webhook_publish_failures p
UNION ALL
SELECT 'endpoint_overdue', b.tenant_id, b.endpoint_id, b.due_since, b.due || ' deliveries are due'
FROM postrider.v_backlog b
WHERE b.due_since < clock_timestamp() - interval '5 min' AND b.paused_at IS NULL
UNION ALL
SELECT 'job', j.tenant_id, 'job_' || replace(j.id::text, '-', ''), coalesce(j.owned_until, j.created_at), 'no worker does it'
FROM postrider.jobs j
WHERE j.state IN ('queued', 'running') AND coalesce(j.owned_until, j.created_at) < clock_timestamp() - interval '5 min';

SELECT postrider.wall_off_tenants();

-- What the API's role and operators need of all this. Where the roles are missing and may not be made here, deploy/roles.sql does it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'postrider_api') THEN
        GRANT EXECUTE ON FUNCTION postrider.set_paused_v1 TO postrider_api;
        GRANT INSERT (tenant_id, capture_engagement_events), UPDATE (capture_engagement_events, updated_at) ON postrider.tenants TO postrider_api;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postrider_operator') THEN
        BEGIN
            CREATE ROLE postrider_operator NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this cluster was migrated just now
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'postrider: may not create the role postrider_operator; run deploy/roles.sql as a superuser';
                RETURN;
        END;
    END IF;
    GRANT USAGE ON SCHEMA postrider TO postrider_operator;
    GRANT EXECUTE ON FUNCTION postrider.redeliver, postrider.pause, postrider.resume TO postrider_operator;
    GRANT SELECT ON postrider.v_events, postrider.v_backlog, postrider.v_endpoint_health, postrider.v_stuck TO postrider_operator;
END $$;
