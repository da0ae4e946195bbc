-- The sum of all migrations, without the partitions. Written by `just schema`; a test keeps it true.

CREATE TABLE postrider.api_keys (
    id uuid NOT NULL,
    tenant_id text COLLATE "C",
    name text NOT NULL,
    hash bytea NOT NULL,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_hash UNIQUE (hash),
    CONSTRAINT api_keys_hash_check CHECK ((octet_length(hash) = 32)),
    CONSTRAINT api_keys_hint_check CHECK ((length(hint) = 4)),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_scopes_check CHECK ((((cardinality(scopes) >= 1) AND (cardinality(scopes) <= 3)) AND (scopes <@ '{read,write,publish}'::text[]))),
    CONSTRAINT api_keys_tenant_id_check CHECK ((tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'::text))
) WITH (fillfactor=80);

CREATE TABLE postrider.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    tenant_id text COLLATE "C",
    actor text NOT NULL,
    address inet,
    request_id text,
    action text NOT NULL,
    subject text NOT NULL,
    changes jsonb DEFAULT '{}'::jsonb NOT NULL,
    acting_tenant text COLLATE "C" DEFAULT postrider.acting_tenant(),
    CONSTRAINT audit_log_pkey PRIMARY KEY (id)
);

CREATE TABLE postrider.idempotency_keys (
    id bytea NOT NULL,
    request bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    status smallint,
    content_type text,
    body_sealed bytea,
    CONSTRAINT idempotency_keys_id_check CHECK ((octet_length(id) = 32)),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (id),
    CONSTRAINT idempotency_keys_request_check CHECK ((octet_length(request) = 32))
);

CREATE TABLE postrider.installation (
    singleton boolean DEFAULT true NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    switched_off boolean DEFAULT false NOT NULL,
    max_data_bytes integer DEFAULT 262144 NOT NULL,
    max_endpoints_per_tenant integer DEFAULT 50 NOT NULL,
    catalog_strict boolean DEFAULT false NOT NULL,
    CONSTRAINT installation_max_data_bytes_check CHECK (((max_data_bytes >= 1024) AND (max_data_bytes <= 1048576))),
    CONSTRAINT installation_max_endpoints_per_tenant_check CHECK ((max_endpoints_per_tenant > 0)),
    CONSTRAINT installation_pkey PRIMARY KEY (singleton),
    CONSTRAINT installation_singleton_check CHECK (singleton)
);

CREATE TABLE postrider.jobs (
    id uuid NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    endpoint_id uuid NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    wanted jsonb NOT NULL,
    rate integer NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    expected bigint,
    made bigint DEFAULT 0 NOT NULL,
    looked_to bigint DEFAULT 0 NOT NULL,
    looked_at timestamp with time zone,
    reason text,
    error text,
    stop boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    owner bigint,
    owned_until timestamp with time zone,
    CONSTRAINT jobs_check CHECK ((until >= since)),
    CONSTRAINT jobs_kind_check CHECK ((kind = ANY (ARRAY['recover'::text, 'backfill'::text]))),
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_rate_check CHECK (((rate >= 1) AND (rate <= 10000))),
    CONSTRAINT jobs_reason_check CHECK ((length(reason) <= 200)),
    CONSTRAINT jobs_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text, 'stopped'::text, 'failed'::text])))
) WITH (fillfactor=50);

CREATE TABLE postrider.ledger_marks (
    at timestamp with time zone NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT ledger_marks_pkey PRIMARY KEY (at)
);

CREATE TABLE postrider.ledger_state (
    singleton boolean DEFAULT true NOT NULL,
    pruned_to bigint DEFAULT 0 NOT NULL,
    indexed_at bigint DEFAULT 0 NOT NULL,
    CONSTRAINT ledger_state_pkey PRIMARY KEY (singleton),
    CONSTRAINT ledger_state_singleton_check CHECK (singleton)
);

CREATE TABLE postrider.partitions (
    parent text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    lo timestamp with time zone NOT NULL,
    hi timestamp with time zone NOT NULL,
    CONSTRAINT partitions_check CHECK ((lo < hi)),
    CONSTRAINT partitions_kind_check CHECK ((kind = ANY (ARRAY['day'::text, 'month'::text, 'tail'::text]))),
    CONSTRAINT partitions_name UNIQUE (name),
    CONSTRAINT partitions_pkey PRIMARY KEY (parent, lo)
);

CREATE TABLE postrider.tenants (
    tenant_id text COLLATE "C" NOT NULL,
    max_in_flight integer,
    rate_limit integer,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    capture_engagement_events boolean DEFAULT false NOT NULL,
    CONSTRAINT tenants_max_in_flight CHECK (((max_in_flight >= 1) AND (max_in_flight <= 100000))),
    CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenants_rate_limit CHECK (((rate_limit >= 1) AND (rate_limit <= 1000000))),
    CONSTRAINT tenants_tenant_id_check CHECK ((tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'::text))
);

CREATE TABLE postrider.webhook_attempts (
    delivery_id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    endpoint_id uuid NOT NULL,
    duration_ms integer NOT NULL,
    attempt smallint NOT NULL,
    status smallint,
    outcome text NOT NULL,
    error text,
    peer inet,
    response_headers bytea,
    response_body bytea,
    detail text,
    batch_id uuid,
    CONSTRAINT webhook_attempts_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'retry'::text, 'exhausted'::text, 'rejected'::text]))),
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, attempt, started_at)
) PARTITION BY RANGE (started_at);

CREATE TABLE postrider.webhook_deliveries (
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_seq bigint NOT NULL,
    event_created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone,
    lease_owner bigint,
    closed_at timestamp with time zone,
    lease_no integer DEFAULT 0 NOT NULL,
    last_duration_ms integer,
    attempts smallint DEFAULT 0 NOT NULL,
    replay smallint DEFAULT 0 NOT NULL,
    last_status smallint,
    open boolean NOT NULL,
    status text NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    reason text,
    last_error text,
    order_key text COLLATE "C",
    batch_id uuid,
    CONSTRAINT webhook_deliveries_open_is_pending CHECK (((open = (status = 'pending'::text)) AND (open = (next_attempt_at IS NOT NULL)))),
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id, open),
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'exhausted'::text, 'rejected'::text, 'skipped'::text, 'expired'::text, 'cancelled'::text])))
) PARTITION BY LIST (open);

CREATE TABLE postrider.webhook_deliveries_closed (
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_seq bigint NOT NULL,
    event_created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone,
    lease_owner bigint,
    closed_at timestamp with time zone,
    lease_no integer DEFAULT 0 NOT NULL,
    last_duration_ms integer,
    attempts smallint DEFAULT 0 NOT NULL,
    replay smallint DEFAULT 0 NOT NULL,
    last_status smallint,
    open boolean NOT NULL,
    status text NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    reason text,
    last_error text,
    order_key text COLLATE "C",
    batch_id uuid,
    CONSTRAINT webhook_deliveries_closed_pkey PRIMARY KEY (id, open),
    CONSTRAINT webhook_deliveries_open_is_pending CHECK (((open = (status = 'pending'::text)) AND (open = (next_attempt_at IS NOT NULL)))),
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'exhausted'::text, 'rejected'::text, 'skipped'::text, 'expired'::text, 'cancelled'::text])))
) PARTITION BY RANGE (id);

CREATE TABLE postrider.webhook_deliveries_open (
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_seq bigint NOT NULL,
    event_created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone,
    lease_owner bigint,
    closed_at timestamp with time zone,
    lease_no integer DEFAULT 0 NOT NULL,
    last_duration_ms integer,
    attempts smallint DEFAULT 0 NOT NULL,
    replay smallint DEFAULT 0 NOT NULL,
    last_status smallint,
    open boolean NOT NULL,
    status text NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    reason text,
    last_error text,
    order_key text COLLATE "C",
    batch_id uuid,
    CONSTRAINT webhook_deliveries_open_is_pending CHECK (((open = (status = 'pending'::text)) AND (open = (next_attempt_at IS NOT NULL)))),
    CONSTRAINT webhook_deliveries_open_pkey PRIMARY KEY (id, open),
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'exhausted'::text, 'rejected'::text, 'skipped'::text, 'expired'::text, 'cancelled'::text])))
) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, autovacuum_vacuum_insert_scale_factor=0, autovacuum_vacuum_insert_threshold=100000, autovacuum_analyze_scale_factor=0, autovacuum_analyze_threshold=50000, autovacuum_vacuum_cost_delay=0, vacuum_truncate=off);

CREATE TABLE postrider.webhook_delivery_batches (
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    members uuid[] NOT NULL,
    format text NOT NULL,
    encoding text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_delivery_batches_encoding_check CHECK ((encoding = ANY (ARRAY['array'::text, 'ndjson'::text]))),
    CONSTRAINT webhook_delivery_batches_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES postrider.webhook_endpoints(id) ON DELETE CASCADE,
    CONSTRAINT webhook_delivery_batches_format_check CHECK ((format = ANY (ARRAY['postrider'::text, 'standard'::text, 'cloudevents'::text, 'raw'::text]))),
    CONSTRAINT webhook_delivery_batches_members_check CHECK (((cardinality(members) >= 1) AND (cardinality(members) <= 500))),
    CONSTRAINT webhook_delivery_batches_pkey PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, autovacuum_vacuum_cost_delay=0, vacuum_truncate=off);

CREATE TABLE postrider.webhook_egress_rules (
    tenant_id text COLLATE "C" NOT NULL,
    allow_cidrs cidr[] DEFAULT '{}'::cidr[] NOT NULL,
    deny_cidrs cidr[] DEFAULT '{}'::cidr[] NOT NULL,
    ports integer[] DEFAULT '{}'::integer[] NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_egress_rules_allow_cidrs_check CHECK (((cardinality(allow_cidrs) <= 100) AND (array_position(allow_cidrs, NULL::cidr) IS NULL))),
    CONSTRAINT webhook_egress_rules_deny_cidrs_check CHECK (((cardinality(deny_cidrs) <= 100) AND (array_position(deny_cidrs, NULL::cidr) IS NULL))),
    CONSTRAINT webhook_egress_rules_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT webhook_egress_rules_ports_check CHECK (((cardinality(ports) <= 100) AND (1 <= ALL (ports)) AND (65535 >= ALL (ports)))),
    CONSTRAINT webhook_egress_rules_tenant_id_check CHECK ((tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'::text))
);

CREATE TABLE postrider.webhook_endpoint_health (
    endpoint_id uuid NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    circuit text DEFAULT 'closed'::text NOT NULL,
    consecutive_failures integer DEFAULT 0 NOT NULL,
    failed_probes integer DEFAULT 0 NOT NULL,
    opened_at timestamp with time zone,
    next_probe_at timestamp with time zone,
    probe_owner bigint,
    probe_until timestamp with time zone,
    paused_until timestamp with time zone,
    first_failure_at timestamp with time zone,
    last_success_at timestamp with time zone,
    warned boolean DEFAULT false NOT NULL,
    warned_at timestamp with time zone,
    CONSTRAINT webhook_endpoint_health_circuit_check CHECK ((circuit = ANY (ARRAY['closed'::text, 'open'::text, 'half_open'::text]))),
    CONSTRAINT webhook_endpoint_health_consecutive_failures_check CHECK ((consecutive_failures >= 0)),
    CONSTRAINT webhook_endpoint_health_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES postrider.webhook_endpoints(id) ON DELETE CASCADE,
    CONSTRAINT webhook_endpoint_health_failed_probes_check CHECK ((failed_probes >= 0)),
    CONSTRAINT webhook_endpoint_health_open_has_a_probe CHECK (((circuit = 'closed'::text) OR (next_probe_at IS NOT NULL))),
    CONSTRAINT webhook_endpoint_health_pkey PRIMARY KEY (endpoint_id),
    CONSTRAINT webhook_endpoint_health_probe_is_a_lease CHECK ((((probe_owner IS NOT NULL) = (circuit = 'half_open'::text)) AND ((probe_owner IS NULL) = (probe_until IS NULL))))
) WITH (fillfactor=70, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, vacuum_truncate=off);

CREATE TABLE postrider.webhook_endpoint_secrets (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    endpoint_id uuid NOT NULL,
    algorithm text DEFAULT 'v1'::text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone,
    encoding text DEFAULT 'standard'::text NOT NULL,
    public_key text,
    CONSTRAINT webhook_endpoint_secrets_algorithm_check CHECK ((algorithm = ANY (ARRAY['v1'::text, 'v1a'::text]))),
    CONSTRAINT webhook_endpoint_secrets_encoding_check CHECK ((encoding = ANY (ARRAY['standard'::text, 'opaque'::text]))),
    CONSTRAINT webhook_endpoint_secrets_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES postrider.webhook_endpoints(id) ON DELETE CASCADE,
    CONSTRAINT webhook_endpoint_secrets_kind_check CHECK ((((algorithm = 'v1a'::text) = (public_key IS NOT NULL)) AND ((encoding = 'standard'::text) OR (algorithm = 'v1'::text)))),
    CONSTRAINT webhook_endpoint_secrets_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_endpoint_secrets_public_key_check CHECK ((public_key ~ '^whpk_[A-Za-z0-9+/]{43}=$'::text))
);

CREATE TABLE postrider.webhook_endpoints (
    id uuid NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    kind text DEFAULT 'webhook'::text NOT NULL,
    url text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    event_types text[] NOT NULL,
    filter jsonb,
    headers_sealed bytea,
    retry_schedule_ms integer[],
    timeout_ms integer,
    max_in_flight integer,
    capture_responses boolean DEFAULT false NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    disabled_reason text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    rate_limit integer,
    format text DEFAULT 'postrider'::text NOT NULL,
    signing jsonb DEFAULT '[]'::jsonb NOT NULL,
    auth text,
    auth_sealed bytea,
    tls_sealed bytea,
    ordering text DEFAULT 'none'::text NOT NULL,
    skip_after smallint,
    batch_max_events smallint,
    batch_max_wait_ms integer,
    batch_max_bytes integer,
    batch_encoding text,
    paused_at timestamp with time zone,
    paused_reason text,
    CONSTRAINT webhook_endpoints_auth_check CHECK ((auth = ANY (ARRAY['basic'::text, 'bearer'::text, 'oauth2'::text]))),
    CONSTRAINT webhook_endpoints_auth_sealed_check CHECK (((auth IS NULL) = (auth_sealed IS NULL))),
    CONSTRAINT webhook_endpoints_batch CHECK ((num_nulls(batch_max_events, batch_max_wait_ms, batch_max_bytes, batch_encoding) = ANY (ARRAY[0, 4]))),
    CONSTRAINT webhook_endpoints_batch_encoding CHECK ((batch_encoding = ANY (ARRAY['array'::text, 'ndjson'::text]))),
    CONSTRAINT webhook_endpoints_batch_max_bytes CHECK (((batch_max_bytes >= 1024) AND (batch_max_bytes <= 4194304))),
    CONSTRAINT webhook_endpoints_batch_max_events CHECK (((batch_max_events >= 1) AND (batch_max_events <= 500))),
    CONSTRAINT webhook_endpoints_batch_max_wait CHECK (((batch_max_wait_ms >= 0) AND (batch_max_wait_ms <= 60000))),
    CONSTRAINT webhook_endpoints_batch_or_order CHECK (((batch_max_events IS NULL) OR (ordering = 'none'::text))),
    CONSTRAINT webhook_endpoints_description_check CHECK ((length(description) <= 200)),
    CONSTRAINT webhook_endpoints_event_types_check CHECK (((cardinality(event_types) >= 1) AND (cardinality(event_types) <= 200))),
    CONSTRAINT webhook_endpoints_format_check CHECK ((format = ANY (ARRAY['postrider'::text, 'standard'::text, 'cloudevents'::text, 'raw'::text]))),
    CONSTRAINT webhook_endpoints_kind_check CHECK ((kind = ANY (ARRAY['webhook'::text, 'pull'::text]))),
    CONSTRAINT webhook_endpoints_max_in_flight_check CHECK (((max_in_flight >= 1) AND (max_in_flight <= 1000))),
    CONSTRAINT webhook_endpoints_ordering CHECK ((ordering = ANY (ARRAY['none'::text, 'key'::text, 'endpoint'::text]))),
    CONSTRAINT webhook_endpoints_paused_for_a_reason CHECK (((paused_reason IS NULL) OR (paused_at IS NOT NULL))),
    CONSTRAINT webhook_endpoints_paused_reason CHECK ((length(paused_reason) <= 200)),
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_endpoints_rate_limit CHECK (((rate_limit >= 1) AND (rate_limit <= 100000))),
    CONSTRAINT webhook_endpoints_retry_schedule_ms_check CHECK (((cardinality(retry_schedule_ms) >= 1) AND (cardinality(retry_schedule_ms) <= 30))),
    CONSTRAINT webhook_endpoints_signing_check CHECK (
CASE
    WHEN (jsonb_typeof(signing) = 'array'::text) THEN (jsonb_array_length(signing) <= 8)
    ELSE false
END),
    CONSTRAINT webhook_endpoints_skip_after CHECK (((skip_after IS NULL) OR (((skip_after >= 1) AND (skip_after <= 31)) AND (ordering <> 'none'::text)))),
    CONSTRAINT webhook_endpoints_tenant_id_check CHECK ((tenant_id ~ '^[A-Za-z0-9._:-]{1,128}$'::text)),
    CONSTRAINT webhook_endpoints_timeout_ms_check CHECK (((timeout_ms >= 100) AND (timeout_ms <= 30000))),
    CONSTRAINT webhook_endpoints_url_check CHECK (((octet_length(url) >= 1) AND (octet_length(url) <= 2048)))
);

CREATE TABLE postrider.webhook_event_ids (
    seq bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    digest bytea NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    CONSTRAINT webhook_event_ids_pkey PRIMARY KEY (tenant_id, id)
);

CREATE TABLE postrider.webhook_event_types (
    name text COLLATE "C" NOT NULL,
    description text,
    example json,
    schema json,
    schema_check text DEFAULT 'off'::text NOT NULL,
    declared boolean DEFAULT true NOT NULL,
    version bigint DEFAULT nextval('postrider.webhook_event_type_versions'::regclass) NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_event_types_check_needs_a_schema CHECK (((schema_check = 'off'::text) OR (schema IS NOT NULL))),
    CONSTRAINT webhook_event_types_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT webhook_event_types_example_check CHECK ((octet_length((example)::text) <= 65536)),
    CONSTRAINT webhook_event_types_name_check CHECK (((length(name) <= 128) AND (name ~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$'::text))),
    CONSTRAINT webhook_event_types_pkey PRIMARY KEY (name),
    CONSTRAINT webhook_event_types_schema_check CHECK ((octet_length((schema)::text) <= 131072)),
    CONSTRAINT webhook_event_types_schema_check_check CHECK ((schema_check = ANY (ARRAY['off'::text, 'report'::text, 'enforce'::text])))
);

CREATE TABLE postrider.webhook_events (
    seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    tenant_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    ordering_key text,
    traceparent text,
    labels text[],
    attributes jsonb,
    envelope text NOT NULL,
    CONSTRAINT webhook_events_pkey PRIMARY KEY (seq, created_at)
) PARTITION BY RANGE (created_at);

CREATE TABLE postrider.webhook_events_failed (
    seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    failed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    attempts smallint NOT NULL,
    reason text NOT NULL,
    last_error text,
    CONSTRAINT webhook_events_failed_pkey PRIMARY KEY (seq)
);

CREATE TABLE postrider.webhook_events_pending (
    seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    bytes integer NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    keyed boolean NOT NULL,
    last_error text,
    CONSTRAINT webhook_events_pending_pkey PRIMARY KEY (seq)
) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, autovacuum_vacuum_insert_scale_factor=0, autovacuum_vacuum_insert_threshold=100000, autovacuum_analyze_scale_factor=0, autovacuum_analyze_threshold=50000, autovacuum_vacuum_cost_delay=0, vacuum_truncate=off);

CREATE TABLE postrider.webhook_horizon (
    singleton boolean DEFAULT true NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    removed_to bigint DEFAULT 0 NOT NULL,
    CONSTRAINT webhook_horizon_pkey PRIMARY KEY (singleton),
    CONSTRAINT webhook_horizon_singleton_check CHECK (singleton)
) WITH (fillfactor=50);

CREATE TABLE postrider.webhook_publish_failures (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    failed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    tenant_id text,
    event_id text,
    type text,
    reason text NOT NULL,
    CONSTRAINT webhook_publish_failures_pkey PRIMARY KEY (id)
);

CREATE TABLE postrider.webhook_pull_cursors (
    endpoint_id uuid NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    removed_to bigint NOT NULL,
    acknowledged_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_pull_cursors_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES postrider.webhook_endpoints(id) ON DELETE CASCADE,
    CONSTRAINT webhook_pull_cursors_pkey PRIMARY KEY (endpoint_id)
) WITH (fillfactor=50);

CREATE TABLE postrider.webhook_routing_versions (
    tenant_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT webhook_routing_versions_pkey PRIMARY KEY (tenant_id)
) WITH (fillfactor=50);

CREATE TABLE postrider.webhook_switches (
    scope text NOT NULL,
    name text COLLATE "C" NOT NULL,
    reason text,
    closed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_switches_pkey PRIMARY KEY (scope, name),
    CONSTRAINT webhook_switches_scope_check CHECK ((scope = ANY (ARRAY['installation'::text, 'tenant'::text, 'type'::text])))
);

CREATE TABLE postrider.webhook_workers (
    incarnation bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    name text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    roles text[] NOT NULL,
    liveness text NOT NULL,
    wakeup text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT webhook_workers_liveness_check CHECK ((liveness = ANY (ARRAY['lock'::text, 'heartbeat'::text]))),
    CONSTRAINT webhook_workers_pkey PRIMARY KEY (incarnation),
    CONSTRAINT webhook_workers_wakeup_check CHECK ((wakeup = ANY (ARRAY['listen'::text, 'poll'::text])))
) WITH (fillfactor=50);

CREATE INDEX api_keys_tenant ON postrider.api_keys USING btree (tenant_id, id);

CREATE INDEX audit_log_at ON postrider.audit_log USING btree (at, id);

CREATE INDEX audit_log_tenant ON postrider.audit_log USING btree (tenant_id, id);

CREATE INDEX idempotency_keys_created ON postrider.idempotency_keys USING btree (created_at);

CREATE INDEX jobs_finished ON postrider.jobs USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE UNIQUE INDEX jobs_one_an_endpoint ON postrider.jobs USING btree (endpoint_id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX jobs_open ON postrider.jobs USING btree (created_at) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX jobs_tenant ON postrider.jobs USING btree (tenant_id, id);

CREATE INDEX webhook_deliveries_closed_endpoint ON ONLY postrider.webhook_deliveries_closed USING btree (uuid_hash(endpoint_id), hashtext(status), (((event_seq >> 12))::integer));

CREATE INDEX webhook_deliveries_open_due ON postrider.webhook_deliveries_open USING btree (endpoint_id, next_attempt_at);

CREATE INDEX webhook_deliveries_open_order ON postrider.webhook_deliveries_open USING btree (endpoint_id, order_key, event_seq) WHERE (order_key IS NOT NULL);

CREATE INDEX webhook_delivery_batches_created ON postrider.webhook_delivery_batches USING btree (created_at);

CREATE INDEX webhook_delivery_batches_endpoint ON postrider.webhook_delivery_batches USING btree (endpoint_id);

CREATE INDEX webhook_endpoint_health_unwell ON postrider.webhook_endpoint_health USING btree (endpoint_id) WHERE ((first_failure_at IS NOT NULL) OR (paused_until IS NOT NULL));

CREATE INDEX webhook_endpoint_secrets_endpoint ON postrider.webhook_endpoint_secrets USING btree (endpoint_id);

CREATE INDEX webhook_endpoints_paused ON postrider.webhook_endpoints USING btree (id) WHERE ((paused_at IS NOT NULL) AND enabled);

CREATE INDEX webhook_endpoints_tenant ON postrider.webhook_endpoints USING btree (tenant_id, id);

CREATE INDEX webhook_event_ids_seq ON postrider.webhook_event_ids USING brin (seq) WITH (pages_per_range='16', autosummarize='on');

CREATE INDEX webhook_events_tenant ON ONLY postrider.webhook_events USING btree (hashtext(tenant_id), (((seq >> 12))::integer));

CREATE INDEX webhook_events_type ON ONLY postrider.webhook_events USING btree (hashtext(((tenant_id || '/'::text) || type)), (((seq >> 12))::integer));

CREATE INDEX webhook_events_user ON ONLY postrider.webhook_events USING btree (hashtext(((tenant_id || '/'::text) || postrider.distinct_id_v1(attributes, envelope))), (((seq >> 12))::integer)) WHERE ((attributes ? 'user_id'::text) OR (strpos(envelope, '"distinct_id"'::text) > 0));

CREATE INDEX webhook_publish_failures_failed_at ON postrider.webhook_publish_failures USING btree (failed_at);

CREATE OR REPLACE FUNCTION postrider.acting_tenant()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ SELECT nullif(current_setting('postrider.tenant_id', true), '') $function$;

CREATE OR REPLACE FUNCTION postrider.add_days(p_parent text, p_from timestamp with time zone, p_until timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    v_lo timestamptz := p_from;
    v_hi timestamptz;
    n    integer := 0;
BEGIN
    v_hi := CASE WHEN p_from = '-infinity' THEN date_trunc('day', clock_timestamp(), 'UTC') + interval '1 day' ELSE p_from + interval '1 day' END;
    WHILE v_hi <= p_until LOOP
        PERFORM postrider.add_partition(p_parent, 'day', v_lo, v_hi);
        v_lo := v_hi;
        v_hi := v_hi + interval '1 day';
        n := n + 1;
    END LOOP;
    RETURN n;
END $function$;

CREATE OR REPLACE FUNCTION postrider.add_months_and_tail(p_parent text, p_from timestamp with time zone, p_until timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    v_lo timestamptz := p_from;
    v_hi timestamptz := date_trunc('month', p_from, 'UTC') + interval '1 month';
    n    integer := 0;
BEGIN
    WHILE v_hi <= p_until LOOP
        PERFORM postrider.add_partition(p_parent, 'month', v_lo, v_hi);
        v_lo := v_hi;
        v_hi := date_trunc('month', v_hi + interval '32 days', 'UTC');
        n := n + 1;
    END LOOP;
    PERFORM postrider.add_partition(p_parent, 'tail', v_lo, 'infinity');
    RETURN n + 1;
END $function$;

CREATE OR REPLACE FUNCTION postrider.add_partition(p_parent text, p_kind text, p_lo timestamp with time zone, p_hi timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 SET "TimeZone" TO 'UTC'
AS $function$
DECLARE
    v_name text := CASE p_kind
        WHEN 'day' THEN format('%s_d%s', p_parent, to_char((p_hi - interval '1 day') AT TIME ZONE 'UTC', 'YYYYMMDD'))
        WHEN 'month' THEN format('%s_m%s', p_parent, to_char(p_lo AT TIME ZONE 'UTC', 'YYYYMMDD'))
        ELSE format('%s_tail', p_parent)
    END;
BEGIN
    EXECUTE format('CREATE TABLE postrider.%I (LIKE postrider.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name, p_parent);
    EXECUTE format('ALTER TABLE postrider.%I ATTACH PARTITION postrider.%I FOR VALUES FROM (%s) TO (%s)',
                   p_parent, v_name, postrider.partition_bound(p_parent, p_lo), postrider.partition_bound(p_parent, p_hi));
    INSERT INTO postrider.partitions (parent, name, kind, lo, hi) VALUES (p_parent, v_name, p_kind, p_lo, p_hi);
    RETURN v_name;
END $function$;

CREATE OR REPLACE FUNCTION postrider.attach_partition(p_parent text, p_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '1s'
AS $function$
DECLARE
    v_lo timestamptz;
    v_hi timestamptz;
BEGIN
    SELECT r.lo, r.hi INTO STRICT v_lo, v_hi FROM postrider.partitions r WHERE r.parent = p_parent AND r.name = p_name;
    EXECUTE format('ALTER TABLE postrider.%I ATTACH PARTITION postrider.%I FOR VALUES FROM (%s) TO (%s)',
                   p_parent, p_name, postrider.partition_bound(p_parent, v_lo), postrider.partition_bound(p_parent, v_hi));
END $function$;

CREATE OR REPLACE FUNCTION postrider.audit()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.bodies_owed(p_name text, p_lo timestamp with time zone, p_hi timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_first bigint;
    v_last  bigint;
BEGIN
    -- A publisher that has not committed yet, or was prepared: its pending row cannot be seen, its lock can.
    IF EXISTS (SELECT FROM pg_locks l
               WHERE l.locktype = 'relation' AND l.relation = format('postrider.%I', p_name)::regclass
                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                 AND l.mode = 'RowExclusiveLock') THEN
        RETURN 'busy';
    END IF;
    EXECUTE format('SELECT min(e.seq), max(e.seq) FROM postrider.%I e', p_name) INTO v_first, v_last;
    IF EXISTS (SELECT FROM postrider.webhook_events_pending p
               WHERE p.seq BETWEEN v_first AND v_last AND p.created_at >= p_lo AND p.created_at < p_hi) THEN
        RETURN 'pending';
    END IF;
    IF EXISTS (SELECT FROM postrider.webhook_deliveries_open d
               WHERE d.id >= postrider.delivery_id_from(p_lo) AND d.id < postrider.delivery_id_floor(p_hi)) THEN
        RETURN 'open';
    END IF;
    RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION postrider.bump_routing_version()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.data_problem_v1(p_data text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.delivery_id_floor(p_at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$
    SELECT (lpad(to_hex(floor(extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$function$;

CREATE OR REPLACE FUNCTION postrider.delivery_id_from(p_at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT CASE WHEN p_at = '-infinity' THEN '00000000-0000-0000-0000-000000000000'::uuid ELSE postrider.delivery_id_floor(p_at) END
$function$;

CREATE OR REPLACE FUNCTION postrider.delivery_id_v1(p_created_at timestamp with time zone, p_tenant text, p_event text, p_endpoint uuid, p_replay integer)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT encode(set_byte(set_byte(b.bytes, 6, get_byte(b.bytes, 6) & 15 | 128), 8, get_byte(b.bytes, 8) & 63 | 128), 'hex')::uuid
    FROM (
        SELECT substr(int8send(floor(extract(epoch FROM p_created_at) * 1000)::bigint), 3)
               || substr(sha256(int4send(octet_length(p_tenant)) || convert_to(p_tenant, 'UTF8')
                                || int4send(octet_length(p_event)) || convert_to(p_event, 'UTF8')
                                || int4send(16) || uuid_send(p_endpoint)
                                || int4send(2) || substr(int4send(p_replay), 3)), 1, 10) AS bytes
    ) b
$function$;

CREATE OR REPLACE FUNCTION postrider.discard_partition(p_parent text, p_name text, OUT lo timestamp with time zone, OUT hi timestamp with time zone, OUT kind text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '1s'
AS $function$
BEGIN
    IF EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = format('postrider.%I', p_name)::regclass) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('postrider: partition %s is still attached', p_name);
    END IF;
    DELETE FROM postrider.partitions r WHERE r.parent = p_parent AND r.name = p_name RETURNING r.lo, r.hi, r.kind INTO STRICT lo, hi, kind;
    EXECUTE format('DROP TABLE postrider.%I', p_name);
END $function$;

CREATE OR REPLACE FUNCTION postrider.distinct_id_v1(p_attributes jsonb, p_envelope text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF p_attributes ->> 'user_id' IS NOT NULL THEN
        RETURN p_attributes ->> 'user_id';
    ELSIF strpos(p_envelope, '"distinct_id"') = 0 THEN
        RETURN NULL;
    END IF;
    RETURN p_envelope::json #>> '{data,distinct_id}';
EXCEPTION
    -- Such as \u0000, which no text of PostgreSQL can hold.
    WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION postrider.drop_partition(p_parent text, p_name text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '1s'
AS $function$
DECLARE
    v_gone record;
    v_owed text;
BEGIN
    IF p_parent = 'webhook_events' THEN
        SELECT postrider.bodies_owed(r.name, r.lo, r.hi) INTO STRICT v_owed FROM postrider.partitions r WHERE r.parent = p_parent AND r.name = p_name;
        IF v_owed IS NOT NULL THEN
            PERFORM postrider.attach_partition(p_parent, p_name);
            RETURN v_owed;
        END IF;
    END IF;
    v_gone := postrider.discard_partition(p_parent, p_name);
    IF p_parent = 'webhook_deliveries_closed' AND v_gone.lo = '-infinity' THEN
        -- Up to the next partition, which is further on when the day after this one has gone already.
        PERFORM postrider.add_partition(p_parent, 'day', v_gone.lo,
            coalesce((SELECT min(r.lo) FROM postrider.partitions r WHERE r.parent = p_parent), v_gone.hi));
    END IF;
    RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION postrider.endpoint_of_text_v1(p_name text, p_id text)
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF p_id IS NULL OR p_id !~ '^whk_[0-9a-f]{32}$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('postrider: %s: %s is not the id of an endpoint: expected whk_ and 32 lower-case hex digits', p_name, coalesce(quote_literal(left(p_id, 64)), 'null'));
    END IF;
    RETURN substr(p_id, 5)::uuid;
END $function$;

CREATE OR REPLACE FUNCTION postrider.endpoint_text_v1(p_endpoint uuid)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT 'whk_' || replace(p_endpoint::text, '-', '')
$function$;

CREATE OR REPLACE FUNCTION postrider.event_data_v1(p_envelope text)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RETURN (p_envelope::json -> 'data')::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
        BEGIN
            -- After an even number of backslashes: behind an odd one it is text that speaks of \u0000.
            RETURN (regexp_replace(p_envelope, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json -> 'data')::jsonb;
        EXCEPTION
            WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN RETURN NULL;
        END;
END $function$;

CREATE OR REPLACE FUNCTION postrider.event_field_v1(p_envelope text, p_path text[])
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    -- Not all of it as jsonb: that costs twice as much.
    RETURN (p_envelope::json #> ('{data}' || p_path))::jsonb #>> '{}';
EXCEPTION
    WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
        RETURN postrider.event_data_v1(p_envelope) #>> p_path;
END $function$;

CREATE OR REPLACE FUNCTION postrider.event_id_v1(type text, key text[])
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT 'evt_' || left(encode(sha256(convert_to(string_agg(p.part, '|' ORDER BY p.n), 'UTF8')), 'hex'), 32)
    FROM (
        SELECT CASE k.n WHEN 1 THEN 1 ELSE k.n + 1 END AS n, replace(replace(k.part, '\', '\\'), '|', '\|') AS part
        FROM unnest(key) WITH ORDINALITY AS k(part, n)
        UNION ALL
        SELECT 2, type
    ) p
$function$;

CREATE OR REPLACE FUNCTION postrider.event_problem_v1(p_tenant text, p_id text, p_type text, p_data text, p_attributes jsonb, p_labels text[], p_ordering_key text, p_expires_after interval, p_max_data_bytes integer)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION postrider.event_schema_v1(type text, known_version bigint DEFAULT NULL::bigint, OUT version bigint, OUT schema_check text, OUT schema text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RETURN QUERY
        SELECT t.version, t.schema_check, CASE WHEN t.version IS DISTINCT FROM known_version THEN t.schema::text END
        FROM postrider.webhook_event_types t
        WHERE t.name = $1 AND t.schema_check <> 'off';
END $function$;

CREATE OR REPLACE FUNCTION postrider.fill_partitions(p_parent text, p_lo timestamp with time zone, p_hi timestamp with time zone, p_now timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '1s'
AS $function$
DECLARE
    v_lo timestamptz := p_lo;
    v_hi timestamptz;
    n    integer := 0;
BEGIN
    IF p_hi = 'infinity' THEN
        RETURN postrider.add_months_and_tail(p_parent, p_lo,
            greatest(date_trunc('month', p_now, 'UTC') + interval '25 months', date_trunc('month', p_lo, 'UTC') + interval '1 month'));
    ELSIF p_lo = '-infinity' THEN
        PERFORM postrider.add_partition(p_parent, 'day', p_lo, p_hi);
        RETURN 1;
    ELSIF p_hi - p_lo <= interval '62 days' THEN
        RETURN postrider.add_days(p_parent, p_lo, p_hi);
    END IF;
    WHILE v_lo < p_hi LOOP
        v_hi := least(date_trunc('month', v_lo, 'UTC') + interval '1 month', p_hi);
        PERFORM postrider.add_partition(p_parent, 'month', v_lo, v_hi);
        v_lo := v_hi;
        n := n + 1;
    END LOOP;
    RETURN n;
END $function$;

CREATE OR REPLACE FUNCTION postrider.is_switched_off_v1(p_tenant text, p_type text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RETURN EXISTS (SELECT FROM postrider.webhook_switches s
                   WHERE (s.scope, s.name) IN (('installation', ''), ('tenant', p_tenant), ('type', p_type)));
END $function$;

CREATE OR REPLACE FUNCTION postrider.is_undeclared_v1(p_type text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    RETURN p_type <> 'postrider.test' AND NOT EXISTS (SELECT FROM postrider.webhook_event_types t WHERE t.name = p_type AND t.declared);
END $function$;

CREATE OR REPLACE FUNCTION postrider.lacking_indexes_v1()
 RETURNS TABLE(parent_index text, partition text, index text, broken boolean, is_empty boolean, definition text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT p.relname::text, c.relname::text, n.name, own.indexrelid IS NOT NULL AND NOT own.indisvalid, postrider.partition_is_empty(c.relname),
           CASE WHEN own.indexrelid IS NULL OR NOT own.indisvalid THEN
               regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE INDEX .* ON ONLY .* USING ', format('%I ON postrider.%I USING ', n.name, c.relname))
           END
    FROM pg_index i
    JOIN pg_class p ON p.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid AND t.relkind = 'p' AND t.relnamespace = 'postrider'::regnamespace
    JOIN pg_inherits h ON h.inhparent = t.oid AND NOT h.inhdetachpending
    JOIN pg_class c ON c.oid = h.inhrelid AND c.relkind = 'r'
    CROSS JOIN LATERAL (SELECT c.relname || substr(p.relname, length(t.relname) + 1) AS name) n
    LEFT JOIN pg_index own ON own.indexrelid = to_regclass(format('postrider.%I', n.name))
    WHERE NOT i.indisvalid
      AND NOT EXISTS (SELECT FROM pg_inherits ih JOIN pg_index ci ON ci.indexrelid = ih.inhrelid
                      WHERE ih.inhparent = i.indexrelid AND ci.indrelid = c.oid)
    ORDER BY 5 DESC, c.relname, p.relname
$function$;

CREATE OR REPLACE FUNCTION postrider.limit_live_secrets()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF (SELECT count(*) FROM postrider.webhook_endpoint_secrets s
        WHERE s.endpoint_id = NEW.endpoint_id AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())) > 5 THEN
        RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = 'postrider: an endpoint may have 5 live secrets';
    END IF;
    RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION postrider.note_removed_bodies(p_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_last bigint;
BEGIN
    EXECUTE format('SELECT max(e.seq) FROM postrider.%I e', p_name) INTO v_last;
    UPDATE postrider.webhook_horizon h SET removed_to = v_last WHERE h.singleton AND h.removed_to < v_last;
END $function$;

CREATE OR REPLACE FUNCTION postrider.note_switches()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    UPDATE postrider.installation SET switched_off = EXISTS (SELECT FROM postrider.webhook_switches);
    RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION postrider.number_event_type()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    NEW.version := nextval('postrider.webhook_event_type_versions');
    RETURN NEW;
END $function$;

CREATE OR REPLACE FUNCTION postrider.partition_bound(p_parent text, p_at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE STRICT
AS $function$
    SELECT CASE
        WHEN p_at = '-infinity' THEN 'MINVALUE'
        WHEN p_at = 'infinity' THEN 'MAXVALUE'
        WHEN p_parent = 'webhook_deliveries_closed' THEN quote_literal(postrider.delivery_id_floor(p_at))
        ELSE quote_literal(to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00')
    END
$function$;

CREATE OR REPLACE FUNCTION postrider.partition_bound_time(p_bound text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT CASE
        WHEN p_bound = 'MINVALUE' THEN '-infinity'
        WHEN p_bound = 'MAXVALUE' THEN 'infinity'
        WHEN p_bound ~ '^''[0-9a-f]{8}-' THEN to_timestamp(('x' || substr(p_bound, 2, 8) || substr(p_bound, 11, 4))::bit(48)::bigint / 1000)
        ELSE trim(BOTH '''' FROM p_bound)::timestamptz
    END
$function$;

CREATE OR REPLACE FUNCTION postrider.partition_is_empty(p_name text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_empty boolean;
BEGIN
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM postrider.%I)', p_name) INTO v_empty;
    RETURN v_empty;
END $function$;

CREATE OR REPLACE FUNCTION postrider.partition_rows(p_name text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_table regclass := format('postrider.%I', p_name);
    v_rows  bigint;
BEGIN
    IF pg_relation_size(v_table) > 1024 * 1024 * 1024 THEN
        RETURN (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = v_table);
    END IF;
    EXECUTE format('SELECT count(*) FROM postrider.%I', p_name) INTO v_rows;
    RETURN v_rows;
END $function$;

CREATE OR REPLACE FUNCTION postrider.partition_states()
 RETURNS TABLE(parent text, name text, kind text, lo timestamp with time zone, hi timestamp with time zone, state text, registered boolean)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
    WITH child AS (
        SELECT p.relname::text AS parent, c.relname::text AS name, i.inhdetachpending,
               regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS bounds
        FROM pg_inherits i
        JOIN pg_class p ON p.oid = i.inhparent
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('postrider.webhook_events'::regclass, 'postrider.webhook_deliveries_closed'::regclass, 'postrider.webhook_attempts'::regclass)
    ), known AS (
        SELECT c.parent, c.name, postrider.partition_bound_time(c.bounds[1]) AS lo, postrider.partition_bound_time(c.bounds[2]) AS hi,
               CASE WHEN c.inhdetachpending THEN 'detaching' ELSE 'attached' END AS state,
               EXISTS (SELECT FROM postrider.partitions r WHERE r.parent = c.parent AND r.name = c.name) AS registered
        FROM child c
        UNION ALL
        SELECT r.parent, r.name, r.lo, r.hi,
               CASE WHEN to_regclass(format('postrider.%I', r.name)) IS NULL THEN 'missing' ELSE 'detached' END, true
        FROM postrider.partitions r
        WHERE NOT EXISTS (SELECT FROM child c WHERE c.parent = r.parent AND c.name = r.name)
    )
    SELECT k.parent, k.name,
           CASE WHEN k.hi = 'infinity' THEN 'tail' WHEN k.lo = '-infinity' OR k.hi - k.lo <= interval '1 day' THEN 'day' ELSE 'month' END,
           k.lo, k.hi, k.state, k.registered
    FROM known k
    ORDER BY k.parent, k.lo
$function$;

CREATE OR REPLACE FUNCTION postrider.pause(endpoint_id text, reason text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.publish(type text, tenant text, data jsonb, key text[] DEFAULT NULL::text[], id text DEFAULT NULL::text, attributes jsonb DEFAULT NULL::jsonb, labels text[] DEFAULT NULL::text[], ordering_key text DEFAULT NULL::text, expires_after interval DEFAULT NULL::interval, traceparent text DEFAULT NULL::text, OUT event_id text, OUT outcome text)
 RETURNS SETOF record
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT * FROM postrider.publish(type, tenant, data::text, key, id, attributes, labels, ordering_key, expires_after, traceparent)
$function$;

CREATE OR REPLACE FUNCTION postrider.publish(type text, tenant text DEFAULT 'default'::text, data text DEFAULT '{}'::text, key text[] DEFAULT NULL::text[], id text DEFAULT NULL::text, attributes jsonb DEFAULT NULL::jsonb, labels text[] DEFAULT NULL::text[], ordering_key text DEFAULT NULL::text, expires_after interval DEFAULT NULL::interval, traceparent text DEFAULT NULL::text, OUT event_id text, OUT outcome text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.publish_best_effort(type text, tenant text DEFAULT 'default'::text, data text DEFAULT '{}'::text, key text[] DEFAULT NULL::text[], id text DEFAULT NULL::text, attributes jsonb DEFAULT NULL::jsonb, labels text[] DEFAULT NULL::text[], ordering_key text DEFAULT NULL::text, expires_after interval DEFAULT NULL::interval, traceparent text DEFAULT NULL::text, OUT event_id text, OUT outcome text)
 RETURNS SETOF record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.publish_operator_v1(p_tenant text, p_id text, p_type text, p_data json, p_endpoint uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.publish_v1(p_tenant text, p_id text, p_type text, p_data json, p_attributes jsonb, p_labels text[], p_ordering_key text, p_expires_after interval, p_traceparent text, p_notify boolean)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.random_event_id_v1()
 RETURNS text
 LANGUAGE sql
 PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT 'evt_' || left(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'), 32)
$function$;

CREATE OR REPLACE FUNCTION postrider.record_publish_failure_v1(p_tenant text, p_id text, p_type text, p_reason text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO postrider.webhook_publish_failures (tenant_id, event_id, type, reason)
    VALUES (left(p_tenant, 200), left(p_id, 200), left(p_type, 200), left(p_reason, 2000))
$function$;

CREATE OR REPLACE FUNCTION postrider.redeliver(event_id text, tenant text DEFAULT 'default'::text, endpoint_id text DEFAULT NULL::text)
 RETURNS SETOF postrider.redelivered
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.refuse_event_v1(p_tenant text, p_id text, p_type text, p_data text, p_attributes jsonb, p_labels text[], p_ordering_key text, p_expires_after interval)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_problem text := postrider.event_problem_v1(p_tenant, p_id, p_type, p_data, p_attributes, p_labels, p_ordering_key, p_expires_after,
                                                 (SELECT i.max_data_bytes FROM postrider.installation i));
BEGIN
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'postrider: ' || v_problem,
            HINT = 'nothing was published; the limits are in the reference of postrider.publish';
    END IF;
END $function$;

CREATE OR REPLACE FUNCTION postrider.refuse_undeclared_v1(p_type text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF (SELECT i.catalog_strict FROM postrider.installation i) AND postrider.is_undeclared_v1(p_type) THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'postrider: type: not declared in the catalog (event_type.undeclared)',
            HINT = 'nothing was published; declare it with "postrider types set", or see "postrider types strict"';
    END IF;
END $function$;

CREATE OR REPLACE FUNCTION postrider.replace_partition(p_parent text, p_name text, p_now timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET lock_timeout TO '1s'
AS $function$
DECLARE
    v_gone record;
BEGIN
    IF NOT postrider.partition_is_empty(p_name) THEN
        PERFORM postrider.attach_partition(p_parent, p_name);
        RETURN 0;
    END IF;
    v_gone := postrider.discard_partition(p_parent, p_name);
    IF v_gone.hi = 'infinity' THEN
        RETURN postrider.add_months_and_tail(p_parent, v_gone.lo,
            greatest(date_trunc('month', p_now, 'UTC') + interval '25 months', date_trunc('month', v_gone.lo, 'UTC') + interval '1 month'));
    END IF;
    RETURN postrider.add_days(p_parent, v_gone.lo, v_gone.hi);
END $function$;

CREATE OR REPLACE FUNCTION postrider.resume(endpoint_id text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_endpoint uuid := postrider.endpoint_of_text_v1('endpoint_id', endpoint_id);
BEGIN
    IF NOT EXISTS (SELECT FROM postrider.webhook_endpoints e WHERE e.id = v_endpoint) THEN
        RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = format('postrider: endpoint_id: there is no endpoint %s', endpoint_id);
    END IF;
    RETURN postrider.set_paused_v1(v_endpoint, false, NULL);
END $function$;

CREATE OR REPLACE FUNCTION postrider.set_paused_v1(p_endpoint uuid, p_paused boolean, p_reason text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION postrider.tell_of_endpoint_v1(p_endpoint uuid, p_tenant text, p_type text, p_data jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF postrider.acting_tenant() <> p_tenant THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'postrider: this transaction works for another tenant';
    END IF;
    PERFORM postrider.publish_operator_v1(p_tenant, postrider.random_event_id_v1(), p_type,
        (jsonb_build_object('endpoint_id', postrider.endpoint_text_v1(p_endpoint)) || p_data)::json, p_endpoint);
END $function$;

CREATE OR REPLACE FUNCTION postrider.wall_off_tenants()
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '200ms'
AS $function$
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
END $function$;

CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE ON postrider.api_keys FOR EACH ROW EXECUTE FUNCTION postrider.audit('api_key', 'id', 'key_');

CREATE TRIGGER audit AFTER UPDATE OF catalog_strict ON postrider.installation FOR EACH ROW WHEN ((old.catalog_strict <> new.catalog_strict)) EXECUTE FUNCTION postrider.audit('installation', 'id', '');

CREATE TRIGGER audit AFTER INSERT OR UPDATE OF stop ON postrider.jobs FOR EACH ROW EXECUTE FUNCTION postrider.audit('job', 'id', 'job_');

CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE ON postrider.tenants FOR EACH ROW EXECUTE FUNCTION postrider.audit('tenant', 'tenant_id', '');

CREATE TRIGGER bump_routing_version AFTER INSERT OR DELETE OR UPDATE ON postrider.tenants FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();

CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_egress_rules FOR EACH ROW EXECUTE FUNCTION postrider.audit('egress', 'tenant_id', '');

CREATE TRIGGER bump_routing_version AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_egress_rules FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();

CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_endpoint_secrets FOR EACH ROW EXECUTE FUNCTION postrider.audit('secret', 'endpoint_id', 'whk_');

CREATE TRIGGER bump_routing_version AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_endpoint_secrets FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();

CREATE TRIGGER limit_live_secrets AFTER INSERT OR UPDATE ON postrider.webhook_endpoint_secrets FOR EACH ROW EXECUTE FUNCTION postrider.limit_live_secrets();

CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_endpoints FOR EACH ROW EXECUTE FUNCTION postrider.audit('endpoint', 'id', 'whk_');

CREATE TRIGGER bump_routing_version AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_endpoints FOR EACH ROW EXECUTE FUNCTION postrider.bump_routing_version();

CREATE TRIGGER audit AFTER INSERT ON postrider.webhook_event_types FOR EACH ROW WHEN (new.declared) EXECUTE FUNCTION postrider.audit('event_type', 'name', '');

CREATE TRIGGER audit_changes AFTER DELETE OR UPDATE ON postrider.webhook_event_types FOR EACH ROW EXECUTE FUNCTION postrider.audit('event_type', 'name', '');

CREATE TRIGGER number_event_type BEFORE UPDATE ON postrider.webhook_event_types FOR EACH ROW WHEN ((((old.schema)::text IS DISTINCT FROM (new.schema)::text) OR (old.schema_check <> new.schema_check))) EXECUTE FUNCTION postrider.number_event_type();

CREATE TRIGGER audit AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_switches FOR EACH ROW EXECUTE FUNCTION postrider.audit('switch', 'name', '');

CREATE TRIGGER note_switches AFTER INSERT OR DELETE OR UPDATE ON postrider.webhook_switches FOR EACH STATEMENT EXECUTE FUNCTION postrider.note_switches();

CREATE VIEW postrider.v_backlog AS
 SELECT 'whk_'::text || replace(e.id::text, '-'::text, ''::text) AS endpoint_id,
    e.tenant_id,
    e.url,
    e.enabled,
    due.count AS due,
    later.count AS later,
    oldest.due_since,
    e.paused_at
   FROM postrider.webhook_endpoints e
     CROSS JOIN LATERAL ( SELECT count(*) AS count
           FROM ( SELECT
                   FROM postrider.webhook_deliveries_open d
                  WHERE d.endpoint_id = e.id AND d.next_attempt_at <= (( SELECT clock_timestamp() AS clock_timestamp))
                 LIMIT 10001) capped) due
     CROSS JOIN LATERAL ( SELECT count(*) AS count
           FROM ( SELECT
                   FROM postrider.webhook_deliveries_open d
                  WHERE d.endpoint_id = e.id AND d.next_attempt_at > (( SELECT clock_timestamp() AS clock_timestamp))
                 LIMIT 10001) capped) later
     LEFT JOIN LATERAL ( SELECT d.next_attempt_at AS due_since
           FROM postrider.webhook_deliveries_open d
          WHERE d.endpoint_id = e.id AND d.next_attempt_at <= (( SELECT clock_timestamp() AS clock_timestamp))
          ORDER BY d.next_attempt_at
         LIMIT 1) oldest ON true;

CREATE VIEW postrider.v_endpoint_health AS
 SELECT 'whk_'::text || replace(e.id::text, '-'::text, ''::text) AS endpoint_id,
    e.tenant_id,
    e.url,
    e.enabled,
    e.disabled_reason,
    COALESCE(h.circuit, 'closed'::text) AS circuit,
    COALESCE(h.consecutive_failures, 0) AS consecutive_failures,
    h.opened_at,
    h.next_probe_at,
    NULLIF(h.paused_until, '-infinity'::timestamp with time zone) AS paused_until,
    h.first_failure_at,
    h.last_success_at,
    h.warned_at,
    e.paused_at,
    e.paused_reason
   FROM postrider.webhook_endpoints e
     LEFT JOIN postrider.webhook_endpoint_health h ON h.endpoint_id = e.id;

CREATE VIEW postrider.v_events AS
 SELECT e.seq,
    e.created_at,
    e.tenant_id,
    e.id,
    e.type,
    e.attributes,
    COALESCE(e.labels, '{}'::text[]) AS labels,
    e.ordering_key,
    e.expires_at,
    postrider.event_data_v1(e.envelope) AS data,
    postrider.distinct_id_v1(e.attributes, e.envelope) AS distinct_id
   FROM postrider.webhook_events e;

CREATE VIEW postrider.v_stuck AS
 SELECT 'event_pending'::text AS kind,
    e.tenant_id,
    e.id AS subject,
    p.created_at AS since,
    p.last_error AS detail
   FROM postrider.webhook_events_pending p
     LEFT JOIN postrider.webhook_events e ON e.seq = p.seq AND e.created_at = p.created_at
  WHERE p.created_at < (clock_timestamp() - '00:01:00'::interval)
UNION ALL
 SELECT 'event_failed'::text AS kind,
    e.tenant_id,
    e.id AS subject,
    f.failed_at AS since,
    f.reason || COALESCE(': '::text || f.last_error, ''::text) AS detail
   FROM postrider.webhook_events_failed f
     LEFT JOIN postrider.webhook_events e ON e.seq = f.seq AND e.created_at = f.created_at
UNION ALL
 SELECT 'publish_failed'::text AS kind,
    p.tenant_id,
    p.event_id AS subject,
    p.failed_at AS since,
    p.reason AS detail
   FROM postrider.webhook_publish_failures p
UNION ALL
 SELECT 'endpoint_overdue'::text AS kind,
    b.tenant_id,
    b.endpoint_id AS subject,
    b.due_since AS since,
    b.due || ' deliveries are due'::text AS detail
   FROM postrider.v_backlog b
  WHERE b.due_since < (clock_timestamp() - '00:05:00'::interval) AND b.paused_at IS NULL
UNION ALL
 SELECT 'job'::text AS kind,
    j.tenant_id,
    'job_'::text || replace(j.id::text, '-'::text, ''::text) AS subject,
    COALESCE(j.owned_until, j.created_at) AS since,
    'no worker does it'::text AS detail
   FROM postrider.jobs j
  WHERE (j.state = ANY (ARRAY['queued'::text, 'running'::text])) AND COALESCE(j.owned_until, j.created_at) < (clock_timestamp() - '00:05:00'::interval);

CREATE POLICY everybody ON api_keys AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON api_keys AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON audit_log AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON audit_log AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON jobs AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON jobs AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON tenants AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON tenants AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_attempts AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_attempts AS RESTRICTIVE TO postrider_api USING ((EXISTS ( SELECT
   FROM postrider.webhook_endpoints e
  WHERE (e.id = webhook_attempts.endpoint_id))));

CREATE POLICY everybody ON webhook_deliveries AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_deliveries AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_deliveries_closed AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_deliveries_closed AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_deliveries_open AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_deliveries_open AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_delivery_batches AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_delivery_batches AS RESTRICTIVE TO postrider_api USING ((EXISTS ( SELECT
   FROM postrider.webhook_endpoints e
  WHERE (e.id = webhook_delivery_batches.endpoint_id))));

CREATE POLICY everybody ON webhook_egress_rules AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_egress_rules AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_endpoint_health AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_endpoint_health AS RESTRICTIVE TO postrider_api USING ((EXISTS ( SELECT
   FROM postrider.webhook_endpoints e
  WHERE (e.id = webhook_endpoint_health.endpoint_id))));

CREATE POLICY everybody ON webhook_endpoint_secrets AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_endpoint_secrets AS RESTRICTIVE TO postrider_api USING ((EXISTS ( SELECT
   FROM postrider.webhook_endpoints e
  WHERE (e.id = webhook_endpoint_secrets.endpoint_id))));

CREATE POLICY everybody ON webhook_endpoints AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_endpoints AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_event_ids AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_event_ids AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_events AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_events AS RESTRICTIVE TO postrider_api USING (((tenant_id = postrider.acting_tenant()) AND (hashtext(tenant_id) = hashtext(postrider.acting_tenant()))));

CREATE POLICY everybody ON webhook_events_failed AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_events_failed AS RESTRICTIVE TO postrider_api USING ((EXISTS ( SELECT
   FROM postrider.webhook_events e
  WHERE ((e.seq = webhook_events_failed.seq) AND (e.created_at = webhook_events_failed.created_at)))));

CREATE POLICY everybody ON webhook_events_pending AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_events_pending AS RESTRICTIVE TO postrider_api USING ((EXISTS ( SELECT
   FROM postrider.webhook_events e
  WHERE ((e.seq = webhook_events_pending.seq) AND (e.created_at = webhook_events_pending.created_at)))));

CREATE POLICY everybody ON webhook_publish_failures AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_publish_failures AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_pull_cursors AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_pull_cursors AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));

CREATE POLICY everybody ON webhook_routing_versions AS PERMISSIVE TO PUBLIC USING (true);

CREATE POLICY own_tenant ON webhook_routing_versions AS RESTRICTIVE TO postrider_api USING ((tenant_id = postrider.acting_tenant()));
