//! Endpoints as fan-out and delivery see them. Changing them is in `admin`.

use jiff::SignedDuration;
use postrider_core::ids::EndpointId;
use serde_json::Value;

use crate::statement::{DELIVERIES_CANCEL_ENDPOINT, ENDPOINTS_BY_ID, ENDPOINTS_VERSIONS};
use crate::{Db, StoreError};

/// What fan-out needs of one enabled endpoint.
#[derive(Debug, Clone)]
pub struct Route {
    pub endpoint: EndpointId,
    pub event_types: Vec<String>,
    pub filter: Option<Value>,
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
    /// Seconds before attempt 2, 3, …; `None` is the standard schedule.
    pub retry_schedule: Option<Vec<i32>>,
    pub timeout_ms: Option<i32>,
    pub max_in_flight: Option<i32>,
    pub capture_responses: bool,
    pub enabled: bool,
    pub version: i64,
    /// Live secrets, newest first, sealed.
    pub secrets: Vec<Vec<u8>>,
    /// When the set of live secrets changes by itself because one expires.
    pub secrets_change_in: Option<SignedDuration>,
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
        retry_schedule: row.get(4),
        timeout_ms: row.get(5),
        max_in_flight: row.get(6),
        capture_responses: row.get(7),
        enabled: row.get(8),
        version: row.get(9),
        secrets: row.get(10),
        secrets_change_in: row
            .get::<_, Option<f64>>(11)
            .and_then(|secs| SignedDuration::try_from_secs_f64(secs).ok()),
    }))
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
