//! Endpoints as fan-out and delivery see them. Changing them is in `admin`.

use jiff::SignedDuration;
use postrider_core::batch::BatchManner;
use postrider_core::ids::EndpointId;
use postrider_core::ordering::{OnFailure, Ordering};
use postrider_core::signing::SecretKind;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::statement::{DELIVERIES_CANCEL_ENDPOINT, ENDPOINTS_BY_ID, ENDPOINTS_VERSIONS};
use crate::{Db, StoreError};

/// What fan-out needs of one enabled endpoint.
#[derive(Debug, Clone)]
pub struct Route {
    pub endpoint: EndpointId,
    pub event_types: Vec<String>,
    pub filter: Option<Value>,
    pub ordering: Ordering,
    /// Its events go in batches.
    pub batched: bool,
    /// How; `None` also where this binary cannot read what it asks for.
    pub manner: Option<BatchManner>,
}

/// A tenant's enabled endpoints and the routing version they belong to, read in one snapshot.
#[derive(Debug, Clone)]
pub struct TenantRoutes {
    /// 0 for a tenant that never had an endpoint.
    pub version: i64,
    pub routes: Vec<Route>,
}

/// What delivery needs of one endpoint. Secrets and headers are still sealed.
#[derive(Debug, Clone)]
pub struct EndpointRecord {
    pub id: EndpointId,
    pub tenant_id: String,
    pub kind: String,
    pub url: String,
    pub headers_sealed: Option<Vec<u8>>,
    /// Milliseconds before attempt 2, 3, …; `None` is the standard schedule.
    pub retry_schedule_ms: Option<Vec<i32>>,
    pub timeout_ms: Option<i32>,
    pub max_in_flight: Option<i32>,
    /// Requests a second from the whole fleet; `None`: as many as it takes.
    pub rate_limit: Option<i32>,
    pub capture_responses: bool,
    pub enabled: bool,
    /// Somebody paused it: what it is owed waits.
    pub paused: bool,
    pub version: i64,
    /// Live secrets, newest first.
    pub secrets: Vec<SealedSecret>,
    /// When the set of live secrets changes by itself because one expires.
    pub secrets_change_in: Option<SignedDuration>,
    /// How its requests are written: a word of `postrider_core::format`.
    pub format: String,
    /// The signing profiles, as `Profile::list_to_json` wrote them.
    pub signing: Value,
    pub auth_sealed: Option<Vec<u8>>,
    pub tls_sealed: Option<Vec<u8>>,
    /// What a failing delivery that has an order key does to those behind it.
    pub on_failure: OnFailure,
    /// Its tenant's own rules about where requests may go.
    pub egress: EgressLists,
    /// What all endpoints of its tenant may do together.
    pub tenant_limits: TenantLimits,
}

/// A live secret of an endpoint.
#[derive(Debug, Clone)]
pub struct SealedSecret {
    /// None where a newer binary stored it, of a kind that this one does not know.
    pub kind: Option<SecretKind>,
    pub sealed: Vec<u8>,
}

/// A tenant's limits, in the whole fleet; `None`: no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct TenantLimits {
    /// Requests in flight.
    pub in_flight: Option<i32>,
    /// Requests a second.
    pub rate: Option<i32>,
}

/// A tenant's egress rules as they are stored; empty where it has none.
#[derive(Debug, Clone, Default)]
pub struct EgressLists {
    pub allow_cidrs: Vec<String>,
    pub deny_cidrs: Vec<String>,
    pub ports: Vec<i32>,
}

/// Reads one endpoint; `None` if it was deleted.
///
/// # Errors
/// When the database cannot be asked.
pub async fn by_id(db: &Db, id: EndpointId) -> Result<Option<EndpointRecord>, StoreError> {
    let rows = db.session().await?.query(&ENDPOINTS_BY_ID, &[&id.0]).await?;
    Ok(rows.first().map(|row| EndpointRecord {
        id,
        tenant_id: row.get(0),
        kind: row.get(1),
        url: row.get(2),
        headers_sealed: row.get(3),
        retry_schedule_ms: row.get(4),
        timeout_ms: row.get(5),
        max_in_flight: row.get(6),
        capture_responses: row.get(7),
        enabled: row.get(8),
        paused: row.get("paused"),
        version: row.get(9),
        secrets: row.get::<_, Vec<&[u8]>>(10).into_iter().map(sealed_secret).collect(),
        secrets_change_in: row
            .get::<_, Option<f64>>(11)
            .and_then(|secs| SignedDuration::try_from_secs_f64(secs).ok()),
        rate_limit: row.get("rate_limit"),
        format: row.get("format"),
        signing: row.get("signing"),
        auth_sealed: row.get("auth_sealed"),
        tls_sealed: row.get("tls_sealed"),
        on_failure: OnFailure::of_column(row.get("skip_after")),
        egress: EgressLists {
            allow_cidrs: list(row, "egress_allow"),
            deny_cidrs: list(row, "egress_deny"),
            ports: list(row, "egress_ports"),
        },
        tenant_limits: TenantLimits {
            in_flight: row.get("tenant_in_flight"),
            rate: row.get("tenant_rate"),
        },
    }))
}

/// An array that is null where there is no row of the other table.
fn list<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Vec<T> {
    row.get::<_, Option<Vec<T>>>(column).unwrap_or_default()
}

/// `algorithm/encoding:` and the sealed bytes.
fn sealed_secret(bytes: &[u8]) -> SealedSecret {
    let end = bytes.iter().position(|byte| *byte == b':').unwrap_or(0);
    let kind = std::str::from_utf8(&bytes[..end])
        .ok()
        .and_then(|words| words.split_once('/'))
        .and_then(|(algorithm, encoding)| SecretKind::of(algorithm, encoding));
    SealedSecret { kind, sealed: bytes[end + 1..].to_vec() }
}

/// The routing versions of the tenants given; a tenant without endpoints has none.
///
/// # Errors
/// When the database cannot be asked.
pub async fn versions(db: &Db, tenants: &[&str]) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = db.session().await?.query(&ENDPOINTS_VERSIONS, &[&tenants]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Cancels one batch of at most `limit` open deliveries of an endpoint that is disabled or deleted; how many it was.
///
/// # Errors
/// When the database cannot be asked.
pub async fn cancel_deliveries(
    db: &Db,
    id: EndpointId,
    reason: &str,
    limit: i64,
) -> Result<u64, StoreError> {
    let mut session = db.session().await?;
    session.begin().await?;
    let cancelled = session.execute(&DELIVERIES_CANCEL_ENDPOINT, &[&id.0, &reason, &limit]).await?;
    session.commit().await?;
    Ok(cancelled)
}
