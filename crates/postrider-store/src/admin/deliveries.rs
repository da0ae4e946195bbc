//! Deliveries as people look for them. What they may do about one is in `repair`.
//! Reads `webhook_deliveries` and `webhook_attempts`; writes nothing.

pub mod page;

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::admin::events::EventKey;
use crate::admin::{Page, SCAN_LIMIT};
use crate::deliveries::milliseconds;
use crate::statement::{
    ADMIN_DELIVERIES_ATTEMPTS, ADMIN_DELIVERIES_CUT, ADMIN_DELIVERIES_FIND, ADMIN_DELIVERIES_LIST,
    ADMIN_DELIVERIES_LIST_OPEN, ADMIN_DELIVERIES_OF_EVENT,
};
use crate::{Db, StoreError};

/// By how much the clock of an attempt may be behind that of its event, with some to spare.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_hours(1);
/// The status of deliveries that are still owed.
const PENDING: &str = "pending";

/// Which deliveries to list.
#[derive(Debug, Clone)]
pub struct DeliveryQuery<'a> {
    pub tenant: Option<&'a str>,
    pub endpoint: Option<EndpointId>,
    pub status: Option<&'a str>,
    /// Of events not older than this.
    pub since: Timestamp,
    /// Only ids below this one: the last of the page before.
    pub before: Option<DeliveryId>,
    pub limit: i64,
}

/// A delivery as it stands.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub endpoint: EndpointId,
    pub tenant: String,
    pub event_seq: i64,
    pub event_created_at: Timestamp,
    pub status: String,
    pub reason: Option<String>,
    pub attempts: i16,
    pub last_status: Option<i16>,
    pub last_error: Option<String>,
    pub last_duration_ms: Option<i32>,
    pub next_attempt_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub replay: i16,
    /// Whether a worker holds it now.
    pub leased: bool,
    /// `None` once retention removed the event's body.
    pub event_id: Option<String>,
    pub event_type: Option<String>,
    /// The batch it was last sent in.
    pub batch: Option<BatchId>,
}

/// One request that was made.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: i16,
    pub started_at: Timestamp,
    pub duration_ms: i32,
    pub status: Option<i16>,
    pub outcome: String,
    pub error: Option<String>,
    pub peer: Option<IpAddr>,
    pub response_headers: Option<Vec<u8>>,
    pub response_body: Option<Vec<u8>>,
    /// The rule that forbade the address, or how the body ended early.
    pub detail: Option<String>,
    /// The batch in which it went; the answer is kept with the first of those that failed.
    pub batch: Option<BatchId>,
}

/// One page of deliveries, those of the newest events first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(db: &Db, query: &DeliveryQuery<'_>) -> Result<Page<Delivery>, StoreError> {
    let low = DeliveryId::floor(milliseconds(query.since)).0;
    let before = query.before.map_or(Uuid::max(), |id| id.0);
    let endpoint = query.endpoint.map(|id| id.0);
    let mut session = db.session().await?;
    let rows = if query.status == Some(PENDING) {
        session
            .query(
                &ADMIN_DELIVERIES_LIST_OPEN,
                &[&query.tenant, &endpoint, &low, &before, &query.limit, &SCAN_LIMIT],
            )
            .await?
    } else {
        session
            .query(
                &ADMIN_DELIVERIES_LIST,
                &[
                    &query.tenant,
                    &endpoint,
                    &query.status,
                    &low,
                    &before,
                    &query.limit,
                    &SCAN_LIMIT,
                ],
            )
            .await?
    };
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= query.limit;
    let cut = !full && {
        let left = session.query(&ADMIN_DELIVERIES_CUT, &[&low, &before, &SCAN_LIMIT]).await?;
        left.first().is_some_and(|row| row.get(0))
    };
    Ok(Page { rows: rows.iter().map(delivery).collect(), cut })
}

/// The deliveries with ids from `low` to `high`, five at most: one id, or all that begin alike.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(db: &Db, low: DeliveryId, high: DeliveryId) -> Result<Vec<Delivery>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_DELIVERIES_FIND, &[&low.0, &high.0]).await?;
    Ok(rows.iter().map(delivery).collect())
}

/// The deliveries of one event, by endpoint; at most `limit`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn of_event(db: &Db, event: &EventKey, limit: i64) -> Result<Vec<Delivery>, StoreError> {
    let ms = milliseconds(event.created_at);
    let (low, next) = (DeliveryId::floor(ms).0, DeliveryId::floor(ms + 1).0);
    let rows = db
        .session()
        .await?
        .query(&ADMIN_DELIVERIES_OF_EVENT, &[&low, &next, &event.seq, &limit])
        .await?;
    Ok(rows.iter().map(delivery).collect())
}

/// The attempts made for a delivery, in order; the first hundred.
///
/// # Errors
/// When the database cannot be asked.
pub async fn attempts(db: &Db, delivery: &Delivery) -> Result<Vec<Attempt>, StoreError> {
    let from = delivery.event_created_at.checked_sub(CLOCK_SLACK).unwrap_or(Timestamp::MIN);
    let rows =
        db.session().await?.query(&ADMIN_DELIVERIES_ATTEMPTS, &[&delivery.id.0, &from]).await?;
    Ok(rows
        .iter()
        .map(|row| Attempt {
            number: row.get(0),
            started_at: row.get(1),
            duration_ms: row.get(2),
            status: row.get(3),
            outcome: row.get(4),
            error: row.get(5),
            peer: row.get(6),
            response_headers: row.get(7),
            response_body: row.get(8),
            detail: row.get(9),
            batch: row.get::<_, Option<Uuid>>(10).map(BatchId),
        })
        .collect())
}

fn delivery(row: &Row) -> Delivery {
    Delivery {
        id: DeliveryId(row.get(0)),
        endpoint: EndpointId(row.get(1)),
        tenant: row.get(2),
        event_seq: row.get(3),
        event_created_at: row.get(4),
        status: row.get(5),
        reason: row.get(6),
        attempts: row.get(7),
        last_status: row.get(8),
        last_error: row.get(9),
        last_duration_ms: row.get(10),
        next_attempt_at: row.get(11),
        closed_at: row.get(12),
        replay: row.get(13),
        leased: row.get::<_, Option<bool>>(14).unwrap_or(false),
        event_id: row.get("event_id"),
        event_type: row.get("event_type"),
        batch: row.get::<_, Option<Uuid>>("batch_id").map(BatchId),
    }
}
