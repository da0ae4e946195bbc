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
    ATTEMPTS_INSERT = "attempts/insert" (UUID_ARRAY, TIMESTAMPTZ_ARRAY, UUID_ARRAY, INT4_ARRAY, INT2_ARRAY, INT2_ARRAY, TEXT_ARRAY, TEXT_ARRAY, INET_ARRAY, BYTEA_ARRAY, BYTEA_ARRAY);
    CONTROL_CLOCK = "control/clock" ();
    CONTROL_INSTALLATION = "control/installation" ();
    CONTROL_LOCK_HOLDER = "control/lock_holder" (OID, OID);
    CONTROL_NOTIFY = "control/notify" (TEXT, TEXT);
    CONTROL_TRY_LOCK = "control/try_lock" (INT4, INT4);
    CONTROL_UNLOCK = "control/unlock" (INT4, INT4);
    DELIVERIES_CLOSE = "deliveries/close" (UUID_ARRAY, INT4_ARRAY, INT2_ARRAY, INT2_ARRAY, INT4_ARRAY, TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, INT8);
    DELIVERIES_DUE = "deliveries/due" ();
    DELIVERIES_INSERT = "deliveries/insert" (UUID_ARRAY, UUID_ARRAY, INT8_ARRAY, TIMESTAMPTZ_ARRAY, TEXT_ARRAY, TEXT_ARRAY, BOOL_ARRAY, UUID_ARRAY, INT8, INT4);
    DELIVERIES_KEPT = "deliveries/kept" (UUID_ARRAY, INT8);
    DELIVERIES_PULL = "deliveries/pull" (UUID, INT8, INT8, INT4);
    DELIVERIES_RELEASE = "deliveries/release" (UUID_ARRAY, INT4_ARRAY, INT8);
    DELIVERIES_RESCHEDULE = "deliveries/reschedule" (UUID_ARRAY, INT4_ARRAY, INT2_ARRAY, INT2_ARRAY, INT4_ARRAY, INT8_ARRAY, TEXT_ARRAY, INT8);
    DELIVERIES_CANCEL_ENDPOINT = "deliveries/cancel_endpoint" (UUID, TEXT, INT8);
    ENDPOINTS_BY_ID = "endpoints/by_id" (UUID);
    ENDPOINTS_ROUTES = "endpoints/routes" (TEXT);
    ENDPOINTS_VERSIONS = "endpoints/versions" (TEXT_ARRAY);
    EVENTS_CLAIM = "events/claim" (INT8, INT8);
    EVENTS_DONE = "events/done" (INT8_ARRAY);
    EVENTS_FAIL = "events/fail" (INT8_ARRAY, TEXT, TEXT);
    EVENTS_POSTPONE = "events/postpone" (INT8, INT4, TEXT);
    EVENTS_TRY = "events/try" (INT8);
    WORKERS_DEAD = "workers/dead" (INT8, INT4);
    WORKERS_FORGET = "workers/forget" (INT8);
    WORKERS_HEARTBEAT = "workers/heartbeat" (INT8);
    WORKERS_NEXT = "workers/next" ();
    WORKERS_REGISTER = "workers/register" (INT8, TEXT, INT4, TEXT, TEXT_ARRAY, TEXT, TEXT);
    WORKERS_RELEASE_LEASES = "workers/release_leases" (INT8, INT4, INT8);
}
