//! A statement: its file, its text and its parameter types.

use tokio_postgres::types::Type;

/// One SQL statement of the daemon, from `sql/<noun>/<verb>.sql`.
///
/// The parameter types are stated, so it runs prepared (direct connections) as well as unnamed (through a transaction
/// pooler, where a prepared name may meet a stranger's).
#[derive(Debug)]
pub struct Statement {
    /// `<noun>/<verb>`, as in the file's path.
    pub name: &'static str,
    /// The file's text.
    pub sql: &'static str,
    /// The types of `$1, $2, …`.
    pub types: &'static [Type],
}

macro_rules! statements {
    ($($ident:ident = $name:literal ($($ty:ident),*);)*) => {
        $(pub(crate) static $ident: Statement = Statement {
            name: $name,
            sql: include_str!(concat!("../sql/", $name, ".sql")),
            types: &[$(Type::$ty),*],
        };)*
        /// Every statement, for the tests that prepare and explain them all.
        pub static ALL_STATEMENTS: &[&Statement] = &[$(&$ident),*];
    };
}

statements! {
    ADMIN_API_KEYS_FIND = "admin_api_keys/find" (BYTEA);
    ADMIN_API_KEYS_INSERT = "admin_api_keys/insert" (UUID, TEXT, TEXT, BYTEA, TEXT, TEXT_ARRAY, FLOAT8);
    ADMIN_API_KEYS_LIST = "admin_api_keys/list" (UUID, INT8);
    ADMIN_API_KEYS_LIST_OF_TENANT = "admin_api_keys/list_of_tenant" (TEXT, UUID, INT8);
    ADMIN_API_KEYS_REVOKE = "admin_api_keys/revoke" (UUID, TEXT);
    ADMIN_API_KEYS_USED = "admin_api_keys/used" (UUID);
    ADMIN_AUDIT_EXPORT = "admin_audit/export" (TEXT, TIMESTAMPTZ, INT8, INT8);
    ADMIN_AUDIT_LIST = "admin_audit/list" (TEXT, TEXT, TEXT, TIMESTAMPTZ, INT8, INT8, INT8);
    ADMIN_AUDIT_LIST_OF_TENANT = "admin_audit/list_of_tenant" (TEXT, TEXT, TEXT, TIMESTAMPTZ, INT8, INT8, INT8);
    ADMIN_DELIVERIES_ATTEMPTS = "admin_deliveries/attempts" (UUID, TIMESTAMPTZ);
    ADMIN_DELIVERIES_BY_KEYS = "admin_deliveries/by_keys" (UUID_ARRAY);
    ADMIN_DELIVERIES_CANCEL = "admin_deliveries/cancel" (UUID, TEXT);
    ADMIN_DELIVERIES_CLOSED_OF_ENDPOINT = "admin_deliveries/closed_of_endpoint" (UUID, TEXT_ARRAY, UUID, INT8, INT8, UUID, INT8, TEXT);
    ADMIN_DELIVERIES_CUT = "admin_deliveries/cut" (UUID, UUID, INT8);
    ADMIN_DELIVERIES_FIND = "admin_deliveries/find" (UUID, UUID);
    ADMIN_DELIVERIES_LIST = "admin_deliveries/list" (TEXT, UUID, TEXT, UUID, UUID, INT8, INT8);
    ADMIN_DELIVERIES_LIST_OPEN = "admin_deliveries/list_open" (TEXT, UUID, UUID, UUID, INT8, INT8);
    ADMIN_DELIVERIES_OF_EVENT = "admin_deliveries/of_event" (UUID, UUID, INT8, INT8);
    ADMIN_DELIVERIES_OPEN_OF_ENDPOINT = "admin_deliveries/open_of_endpoint" (UUID, INT8, TEXT);
    ADMIN_DELIVERIES_REDELIVER = "admin_deliveries/redeliver" (UUID, UUID, INT8, TIMESTAMPTZ, INT2);
    ADMIN_DELIVERIES_RETRY = "admin_deliveries/retry" (UUID);
    ADMIN_DELIVERIES_WALK = "admin_deliveries/walk" (UUID, TEXT, UUID, UUID, INT8, INT8, TEXT);
    ADMIN_DELIVERIES_WALK_OPEN = "admin_deliveries/walk_open" (UUID, UUID, UUID, INT8, INT8, TEXT);
    ADMIN_EGRESS_CLEAR = "admin_egress/clear" (TEXT);
    ADMIN_EGRESS_LIST = "admin_egress/list" (TEXT);
    ADMIN_EGRESS_SET = "admin_egress/set" (TEXT, TEXT_ARRAY, TEXT_ARRAY, INT4_ARRAY);
    ADMIN_ENDPOINTS_BATCH = "admin_endpoints/batch" (UUID, INT2, INT4, INT4, TEXT);
    ADMIN_ENDPOINTS_DELETE = "admin_endpoints/delete" (UUID);
    ADMIN_ENDPOINTS_FIND = "admin_endpoints/find" (UUID, UUID);
    ADMIN_ENDPOINTS_INSERT = "admin_endpoints/insert" (UUID, TEXT, TEXT, TEXT, TEXT_ARRAY, JSONB, BYTEA, INT4_ARRAY, INT4, INT4, BOOL, BOOL, TEXT, JSONB);
    ADMIN_ENDPOINTS_INSERT_PULL = "admin_endpoints/insert_pull" (UUID, TEXT, TEXT, TEXT_ARRAY, JSONB, BOOL, TEXT, JSONB);
    ADMIN_ENDPOINTS_LIST = "admin_endpoints/list" (UUID, INT8);
    ADMIN_ENDPOINTS_LIST_OF_TENANT = "admin_endpoints/list_of_tenant" (TEXT, UUID, INT8);
    ADMIN_ENDPOINTS_OPEN = "admin_endpoints/open" (UUID, INT8);
    ADMIN_ENDPOINTS_OWED = "admin_endpoints/owed" (UUID);
    ADMIN_ENDPOINTS_ORDER = "admin_endpoints/order" (UUID, TEXT, INT2);
    ADMIN_ENDPOINTS_SETTINGS = "admin_endpoints/settings" (UUID, TEXT, JSONB, BOOL, TEXT, BYTEA, BOOL, BYTEA);
    ADMIN_ENDPOINTS_SECRETS = "admin_endpoints/secrets" (UUID);
    ADMIN_ENDPOINTS_SET_ENABLED = "admin_endpoints/set_enabled" (UUID, BOOL, TEXT);
    ADMIN_ENDPOINTS_SET_PAUSED = "admin_endpoints/set_paused" (UUID, BOOL, TEXT);
    ADMIN_ENDPOINTS_SET_RATE_LIMIT = "admin_endpoints/set_rate_limit" (UUID, INT4);
    ADMIN_ENDPOINTS_STATS = "admin_endpoints/stats" (UUID, UUID, UUID, TEXT);
    ADMIN_ENDPOINTS_TWINS = "admin_endpoints/twins" (TEXT, TEXT, UUID);
    ADMIN_ENDPOINTS_UPDATE = "admin_endpoints/update" (UUID, TEXT, TEXT, TEXT_ARRAY, BOOL, JSONB, BOOL, BYTEA, BOOL, INT4_ARRAY, BOOL, INT4, BOOL, INT4, BOOL, JSONB, TIMESTAMPTZ);
    ADMIN_EVENTS_BY_KEYS = "admin_events/by_keys" (INT8_ARRAY, TIMESTAMPTZ_ARRAY);
    ADMIN_EVENTS_BY_TENANT = "admin_events/by_tenant" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENTS_BY_TENANT_OLDEST_FIRST = "admin_events/by_tenant_oldest_first" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENTS_BY_TIME = "admin_events/by_time" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENTS_BY_TIME_OLDEST_FIRST = "admin_events/by_time_oldest_first" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENTS_BY_TYPE = "admin_events/by_type" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENTS_BY_TYPE_OLDEST_FIRST = "admin_events/by_type_oldest_first" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENTS_BY_USER = "admin_events/by_user" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENTS_BY_USER_OLDEST_FIRST = "admin_events/by_user_oldest_first" (TEXT, TEXT, TEXT, TEXT, JSONB, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, INT8, INT8);
    ADMIN_EVENT_TYPES_DELETE = "admin_event_types/delete" (TEXT);
    ADMIN_EVENT_TYPES_FIND = "admin_event_types/find" (TEXT_ARRAY);
    ADMIN_EVENT_TYPES_LIST = "admin_event_types/list" (TEXT, BOOL, INT8);
    ADMIN_EVENT_TYPES_PUT = "admin_event_types/put" (TEXT, TEXT, TEXT, TEXT, TEXT);
    ADMIN_EVENT_TYPES_SET_STRICT = "admin_event_types/set_strict" (BOOL);
    ADMIN_EVENT_TYPES_STRICT = "admin_event_types/strict" ();
    ADMIN_EVENTS_BODIES = "admin_events/bodies" (INT8_ARRAY, TIMESTAMPTZ, TIMESTAMPTZ);
    ADMIN_EVENTS_FIND = "admin_events/find" (TEXT, TEXT);
    ADMIN_EVENTS_PUBLISH = "admin_events/publish" (TEXT, TEXT, TEXT, TEXT, TEXT, TEXT_ARRAY, TEXT, FLOAT8, TEXT);
    ADMIN_EVENTS_PUBLISH_TEST = "admin_events/publish_test" (TEXT, TEXT, TEXT);
    ADMIN_EVENTS_SEQ_AT = "admin_events/seq_at" (TIMESTAMPTZ);
    ADMIN_EVENTS_SHOW = "admin_events/show" (INT8, TIMESTAMPTZ);
    ADMIN_EVENTS_STATS = "admin_events/stats" (TEXT, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, TEXT, TEXT, TEXT_ARRAY, TEXT, TEXT, TEXT_ARRAY, INT8);
    ADMIN_EVENTS_STATS_OF_TENANT = "admin_events/stats_of_tenant" (TEXT, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, TEXT, TEXT, TEXT_ARRAY, TEXT, TEXT, TEXT_ARRAY, INT8);
    ADMIN_EVENTS_TAKE = "admin_events/take" (TEXT, TEXT);
    ADMIN_EVENTS_TENANTS = "admin_events/tenants" (INT8);
    ADMIN_FAILURES_LIST = "admin_failures/list" (INT8, INT8);
    ADMIN_FAILURES_PUBLISH = "admin_failures/publish" (INT8);
    ADMIN_FAILURES_REQUEUE = "admin_failures/requeue" (INT8_ARRAY, INT8, INT8);
    ADMIN_IDEMPOTENCY_ANSWER = "admin_idempotency/answer" (BYTEA, INT2, TEXT, BYTEA, TIMESTAMPTZ);
    ADMIN_IDEMPOTENCY_CLAIM = "admin_idempotency/claim" (BYTEA, BYTEA);
    ADMIN_IDEMPOTENCY_FORGET = "admin_idempotency/forget" (BYTEA, TIMESTAMPTZ);
    ADMIN_IDEMPOTENCY_LOOK = "admin_idempotency/look" (BYTEA);
    ADMIN_JOBS_BACKFILL = "admin_jobs/backfill" (UUID, TEXT, UUID, TIMESTAMPTZ, JSONB, INT4);
    ADMIN_JOBS_FIND = "admin_jobs/find" (UUID);
    ADMIN_JOBS_INSERT = "admin_jobs/insert" (UUID, TEXT, UUID, TIMESTAMPTZ, TIMESTAMPTZ, JSONB, INT4, INT8, TEXT);
    ADMIN_JOBS_LIST = "admin_jobs/list" (UUID, INT8);
    ADMIN_JOBS_LIST_OF_TENANT = "admin_jobs/list_of_tenant" (TEXT, UUID, INT8);
    ADMIN_JOBS_STOP = "admin_jobs/stop" (UUID, TEXT);
    ADMIN_STATUS_BACKLOG = "admin_status/backlog" (INT8);
    ADMIN_STATUS_PARTITIONS = "admin_status/partitions" ();
    ADMIN_STATUS_WORKERS = "admin_status/workers" ();
    ADMIN_SWITCHES_CLOSE = "admin_switches/close" (TEXT, TEXT, TEXT);
    ADMIN_SWITCHES_LIST = "admin_switches/list" ();
    ADMIN_SWITCHES_OPEN = "admin_switches/open" (TEXT, TEXT);
    ADMIN_TENANTS_LIMITS = "admin_tenants/limits" (TEXT);
    ADMIN_TENANTS_LIST = "admin_tenants/list" (TEXT, INT8);
    ADMIN_TENANTS_SET_CAPTURE = "admin_tenants/set_capture" (TEXT, BOOL);
    ADMIN_TENANTS_SHOW = "admin_tenants/show" (TEXT);
    ADMIN_TENANTS_SET_LIMITS = "admin_tenants/set_limits" (TEXT, BOOL, INT4, BOOL, INT4);
    ATTEMPTS_INSERT = "attempts/insert" (UUID_ARRAY, TIMESTAMPTZ_ARRAY, UUID_ARRAY, INT4_ARRAY, INT2_ARRAY, INT2_ARRAY, TEXT_ARRAY, TEXT_ARRAY, INET_ARRAY, BYTEA_ARRAY, BYTEA_ARRAY, TEXT_ARRAY);
    BATCHES_ATTEMPTS = "batches/attempts" (UUID_ARRAY, INT2_ARRAY, INT2_ARRAY, TEXT_ARRAY, TEXT_ARRAY, UUID, UUID, TIMESTAMPTZ, INT4, INET, BYTEA, BYTEA, TEXT);
    BATCHES_CLAIM = "batches/claim" (UUID, INT8, INT8);
    BATCHES_FORGET = "batches/forget" (UUID_ARRAY);
    BATCHES_INSERT = "batches/insert" (UUID_ARRAY, UUID_ARRAY, UUID_ARRAY, TEXT_ARRAY, TEXT_ARRAY);
    BATCHES_LEASE = "batches/lease" (UUID_ARRAY, UUID_ARRAY, INT8, INT4);
    BATCHES_LOOK = "batches/look" (UUID, INT8, INT8);
    BATCHES_PRUNE = "batches/prune" (TIMESTAMPTZ, INT8);
    BATCHES_SIZES = "batches/sizes" (INT8_ARRAY, TIMESTAMPTZ, TIMESTAMPTZ);
    BATCHES_STORED = "batches/stored" (UUID_ARRAY);
    CONTROL_CLOCK = "control/clock" ();
    CONTROL_INSTALLATION = "control/installation" ();
    CONTROL_LOCK_HOLDER = "control/lock_holder" (OID, OID);
    CONTROL_NOTIFY = "control/notify" (TEXT, TEXT);
    CONTROL_TRY_LOCK = "control/try_lock" (INT4, INT4);
    CONTROL_UNLOCK = "control/unlock" (INT4, INT4);
    DELIVERIES_CLOSE = "deliveries/close" (UUID_ARRAY, INT4_ARRAY, INT2_ARRAY, INT2_ARRAY, INT4_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, INT8);
    DELIVERIES_DROP_DOUBLED = "deliveries/drop_doubled" (UUID_ARRAY, INT8);
    DELIVERIES_DUE = "deliveries/due" ();
    DELIVERIES_INSERT = "deliveries/insert" (UUID_ARRAY, UUID_ARRAY, INT8_ARRAY, TIMESTAMPTZ_ARRAY, TEXT_ARRAY, TEXT_ARRAY, BOOL_ARRAY, UUID_ARRAY, INT8, INT4, UUID_ARRAY);
    DELIVERIES_KEPT = "deliveries/kept" (UUID_ARRAY, INT8);
    DELIVERIES_NEXT_DUE = "deliveries/next_due" (UUID);
    DELIVERIES_PULL = "deliveries/pull" (UUID, INT8, INT8, INT4);
    DELIVERIES_PULL_ORDERED = "deliveries/pull_ordered" (UUID, INT8, INT8, INT4);
    DELIVERIES_RELEASE = "deliveries/release" (UUID_ARRAY, INT4_ARRAY, INT8);
    DELIVERIES_RESCHEDULE = "deliveries/reschedule" (UUID_ARRAY, INT4_ARRAY, INT2_ARRAY, INT2_ARRAY, INT4_ARRAY, INT8_ARRAY, TEXT_ARRAY, INT8);
    DELIVERIES_BODIES = "deliveries/bodies" (INT8_ARRAY, TIMESTAMPTZ, TIMESTAMPTZ);
    DELIVERIES_CANCEL_ENDPOINT = "deliveries/cancel_endpoint" (UUID, TEXT, INT8);
    DELIVERIES_TELL_EXHAUSTED = "deliveries/tell_exhausted" (UUID_ARRAY, INT8, TEXT_ARRAY);
    ENDPOINT_HEALTH_GIVE_BACK = "endpoint_health/give_back" (UUID, INT8, INT8);
    ENDPOINT_HEALTH_IMPATIENT = "endpoint_health/impatient" ();
    ENDPOINT_HEALTH_PROBE = "endpoint_health/probe" (UUID, INT8, INT4);
    ENDPOINT_HEALTH_READ = "endpoint_health/read" (UUID_ARRAY);
    ENDPOINT_HEALTH_TELL = "endpoint_health/tell" (UUID, TEXT, JSONB);
    ENDPOINT_HEALTH_UNWELL = "endpoint_health/unwell" ();
    ENDPOINT_HEALTH_WRITE = "endpoint_health/write" (UUID_ARRAY, INT8_ARRAY, TEXT_ARRAY, INT4_ARRAY, INT4_ARRAY, TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY, TIMESTAMPTZ_ARRAY);
    ENDPOINTS_BY_ID = "endpoints/by_id" (UUID);
    ENDPOINTS_ROUTES = "endpoints/routes" (TEXT);
    ENDPOINTS_VERSIONS = "endpoints/versions" (TEXT_ARRAY);
    EVENT_TYPES_SCHEMA = "event_types/schema" (TEXT, INT8);
    EVENT_TYPES_SEEN = "event_types/seen" (TEXT_ARRAY, INT8);
    EVENTS_ANY_DUE = "events/any_due" ();
    EVENTS_BETWEEN = "events/between" (INT8, INT8, TIMESTAMPTZ, TEXT, TEXT, TEXT, INT8);
    EVENTS_BODIES = "events/bodies" (INT8_ARRAY, TIMESTAMPTZ, TIMESTAMPTZ);
    EVENTS_CLAIM = "events/claim" (INT8, INT8, TIMESTAMPTZ, TIMESTAMPTZ);
    EVENTS_DONE = "events/done" (INT8_ARRAY);
    EVENTS_FAIL = "events/fail" (INT8_ARRAY, TEXT, TEXT);
    EVENTS_POSTPONE = "events/postpone" (INT8, INT4, TEXT);
    EVENTS_SPAN = "events/span" (INT8, INT8, TIMESTAMPTZ, INT8);
    EVENTS_TRY = "events/try" (INT8);
    GAUGES_SAMPLE = "gauges/sample" (INT8, INT8);
    HEALTH_SCHEMA = "health/schema" ();
    HORIZON_DRAWN = "horizon/drawn" ();
    HORIZON_HOLDERS = "horizon/holders" ();
    HORIZON_KEEP = "horizon/keep" (INT8);
    HORIZON_REMOVED = "horizon/removed" (TEXT);
    JOBS_ADVANCE = "jobs/advance" (UUID, INT8, INT8, INT8, TIMESTAMPTZ, BOOL, INT4);
    JOBS_CLAIM = "jobs/claim" (INT8, INT4);
    JOBS_PUT_OFF = "jobs/put_off" (UUID, INT8, INT4);
    JOBS_RELEASE = "jobs/release" (UUID, INT8);
    JOBS_FAIL = "jobs/fail" (UUID, INT8, TEXT);
    PARTITIONS_ATTACH = "partitions/attach" (TEXT, TEXT);
    PARTITIONS_DETACH = "partitions/detach" (TEXT);
    PARTITIONS_DROP = "partitions/drop" (TEXT, TEXT);
    PARTITIONS_EMPTY = "partitions/empty" (TEXT);
    PARTITIONS_FILL = "partitions/fill" (TEXT, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ);
    PARTITIONS_INDEX = "partitions/index" ();
    PARTITIONS_LIST = "partitions/list" (TIMESTAMPTZ);
    PARTITIONS_REGISTER = "partitions/register" (TEXT, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ);
    PARTITIONS_REPLACE = "partitions/replace" (TEXT, TEXT, TIMESTAMPTZ);
    PARTITIONS_ROWS = "partitions/rows" (TEXT);
    PARTITIONS_UNREGISTER = "partitions/unregister" (TEXT, TEXT);
    PULL_ACKNOWLEDGE = "pull/acknowledge" (UUID, TEXT, INT8, INT8);
    PULL_ACKNOWLEDGED = "pull/acknowledged" (UUID);
    RECOVER_DELIVERIES = "recover/deliveries" (UUID_ARRAY, UUID, UUID);
    RECOVER_EVENTS = "recover/events" (TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8, INT8, BOOL);
    RECOVER_OWE = "recover/owe" (UUID_ARRAY, INT8_ARRAY, TIMESTAMPTZ_ARRAY, INT2_ARRAY, UUID, TEXT_ARRAY);
    RECOVER_TAKE_BACK = "recover/take_back" (UUID_ARRAY, UUID, UUID);
    RETENTION_BODIES_OWED = "retention/bodies_owed" (TEXT, TIMESTAMPTZ, TIMESTAMPTZ);
    RETENTION_COUNT_AUDIT = "retention/count_audit" (TIMESTAMPTZ);
    RETENTION_COUNT_JOBS = "retention/count_jobs" (TIMESTAMPTZ);
    RETENTION_COUNT_FAILED = "retention/count_failed" (TIMESTAMPTZ);
    RETENTION_COUNT_LEDGER = "retention/count_ledger" (INT8, INT8, TIMESTAMPTZ);
    RETENTION_COUNT_OPEN = "retention/count_open" (TIMESTAMPTZ, TIMESTAMPTZ);
    RETENTION_COUNT_PUBLISH_FAILURES = "retention/count_publish_failures" (TIMESTAMPTZ);
    RETENTION_EXPIRE = "retention/expire" (TIMESTAMPTZ, TIMESTAMPTZ, INT8, TEXT_ARRAY, TEXT);
    RETENTION_LEDGER = "retention/ledger" (TIMESTAMPTZ);
    RETENTION_LEDGER_LEFTOVERS = "retention/ledger_leftovers" ();
    RETENTION_LEDGER_REINDEXED = "retention/ledger_reindexed" ();
    RETENTION_MARK_LEDGER = "retention/mark_ledger" (TIMESTAMPTZ);
    RETENTION_OLDEST_OPEN = "retention/oldest_open" ();
    RETENTION_PRUNE_AUDIT = "retention/prune_audit" (TIMESTAMPTZ, INT8);
    RETENTION_PRUNE_JOBS = "retention/prune_jobs" (TIMESTAMPTZ, INT8);
    RETENTION_PRUNE_FAILED = "retention/prune_failed" (TIMESTAMPTZ, INT8);
    RETENTION_PRUNE_LEDGER = "retention/prune_ledger" (INT8, INT8, TIMESTAMPTZ);
    RETENTION_PRUNE_IDEMPOTENCY = "retention/prune_idempotency" (TIMESTAMPTZ, INT8);
    RETENTION_PRUNE_PUBLISH_FAILURES = "retention/prune_publish_failures" (TIMESTAMPTZ, INT8);
    RETENTION_REINDEX_LEDGER = "retention/reindex_ledger" ();
    SEALED_COUNT = "sealed/count" ();
    SEALED_ENDPOINTS = "sealed/endpoints" (UUID, INT8);
    SEALED_PUT_ENDPOINT = "sealed/put_endpoint" (UUID, BYTEA, BYTEA, BYTEA, BYTEA, BYTEA, BYTEA);
    SEALED_PUT_SECRET = "sealed/put_secret" (UUID, BYTEA, BYTEA);
    SEALED_SECRETS = "sealed/secrets" (UUID, INT8);
    SECRETS_EXPIRE = "secrets/expire" (UUID, INT8);
    SECRETS_FORGET = "secrets/forget" (UUID);
    SECRETS_INSERT = "secrets/insert" (UUID, TEXT, TEXT, BYTEA, TEXT);
    SECRETS_KEEP = "secrets/keep" (UUID);
    SECRETS_LACKING = "secrets/lacking" (UUID);
    SECRETS_LIVE = "secrets/live" (UUID);
    SECRETS_LOCK = "secrets/lock" (UUID);
    SECRETS_PUBLIC_KEYS = "secrets/public_keys" (UUID);
    SECRETS_REVOKE = "secrets/revoke" (UUID, UUID);
    VACUUM_DEAD_ROWS = "vacuum/dead_rows" ();
    VACUUM_OPEN = "vacuum/open" ();
    VACUUM_PENDING = "vacuum/pending" ();
    WORKERS_CONDEMN = "workers/condemn" (INT8, INT4);
    WORKERS_DEAD = "workers/dead" (INT8, INT4);
    WORKERS_DELIVERING = "workers/delivering" ();
    WORKERS_FORGET = "workers/forget" (INT8);
    WORKERS_HEARTBEAT = "workers/heartbeat" (INT8);
    WORKERS_NEXT = "workers/next" ();
    WORKERS_PEERS = "workers/peers" (INT8);
    WORKERS_PLACE = "workers/place" (INT8);
    WORKERS_REGISTER = "workers/register" (INT8, TEXT, INT4, TEXT, TEXT_ARRAY, TEXT, TEXT);
    WORKERS_RELEASE_LEASES = "workers/release_leases" (INT8, INT4, INT8);
}
