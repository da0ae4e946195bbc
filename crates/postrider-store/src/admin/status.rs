//! How the installation stands, on one screen: what waits and since when, who works, what is closed.
//! Every count stops at a cap, so that asking costs the same whatever the backlog.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use postrider_core::health::Circuit;
use uuid::Uuid;

use crate::endpoint_health::HealthRow;
use crate::statement::{
    ADMIN_STATUS_BACKLOG, ADMIN_STATUS_PARTITIONS, ADMIN_STATUS_WORKERS, CONTROL_CLOCK,
    DELIVERIES_DUE,
};
use crate::{Db, StoreError};

/// Where counting stops: a number that equals it means "at least".
pub const COUNT_CAP: i64 = 10_001;

/// What waits. Each count is exact below [`COUNT_CAP`].
#[derive(Debug, Clone)]
pub struct Backlog {
    /// Events not yet fanned out.
    pub pending_events: i64,
    /// The age of the oldest of them.
    pub oldest_pending: Option<Duration>,
    /// Events that fan-out gave up on.
    pub failed_events: i64,
    /// Best-effort publishes that failed within the last day.
    pub publish_failures: i64,
    pub open_deliveries: i64,
    pub endpoints: i64,
    pub disabled_endpoints: i64,
}

/// How late the deliveries that are due are, over all endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DueLag {
    /// Endpoints with a delivery that is due and not yet taken.
    pub endpoints: usize,
    /// How long the oldest of these has been due.
    pub oldest: Duration,
    /// Endpoints whose due deliveries are not late: they wait for their endpoint, which is paused or whose circuit is open.
    pub waiting: usize,
}

/// A registered worker.
#[derive(Debug, Clone)]
pub struct Worker {
    pub incarnation: i64,
    pub name: String,
    pub pid: i32,
    pub version: String,
    pub roles: Vec<String>,
    /// `lock` or `heartbeat`: by what it shows that it lives.
    pub liveness: String,
    /// `listen` or `poll`.
    pub wakeup: String,
    pub started_at: Timestamp,
    pub heartbeat_at: Timestamp,
    pub alive: bool,
}

/// The partitions of one table.
#[derive(Debug, Clone)]
pub struct Partitions {
    pub table: String,
    pub count: i64,
    /// Until when there is one for every day.
    pub days_until: Option<Timestamp>,
    /// Whether the last one has no end, so that every row finds a partition.
    pub has_tail: bool,
}

/// What waits.
///
/// # Errors
/// When the database cannot be asked.
pub async fn backlog(db: &Db) -> Result<Backlog, StoreError> {
    let rows = db.session().await?.query(&ADMIN_STATUS_BACKLOG, &[&COUNT_CAP]).await?;
    let row =
        rows.first().ok_or_else(|| StoreError::other(ADMIN_STATUS_BACKLOG.name, "no answer"))?;
    Ok(Backlog {
        pending_events: row.get(0),
        oldest_pending: row.get::<_, Option<f64>>(1).map(seconds),
        failed_events: row.get(2),
        publish_failures: row.get(3),
        open_deliveries: row.get(4),
        endpoints: row.get(5),
        disabled_endpoints: row.get(6),
    })
}

/// How late due deliveries are at the time `now`, where these endpoints are `unwell`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn due_lag(db: &Db, unwell: &[HealthRow], now: Timestamp) -> Result<DueLag, StoreError> {
    let waits: HashSet<Uuid> = unwell
        .iter()
        .filter(|row| {
            let paused = row.health.paused_until.is_some_and(|until| until > now);
            row.paused || paused || row.health.circuit != Circuit::Closed
        })
        .map(|row| row.endpoint.0)
        .collect();
    let mut lag = DueLag::default();
    for row in db.session().await?.query(&DELIVERIES_DUE, &[]).await? {
        let late = -row.get::<_, f64>(1);
        if late <= 0.0 {
            continue;
        }
        if waits.contains(&row.get(0)) {
            lag.waiting += 1;
        } else {
            lag.endpoints += 1;
            lag.oldest = lag.oldest.max(seconds(late));
        }
    }
    Ok(lag)
}

/// The fleet.
///
/// # Errors
/// When the database cannot be asked.
pub async fn workers(db: &Db) -> Result<Vec<Worker>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_STATUS_WORKERS, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Worker {
            incarnation: row.get(0),
            name: row.get(1),
            pid: row.get(2),
            version: row.get(3),
            roles: row.get(4),
            liveness: row.get(5),
            wakeup: row.get(6),
            started_at: row.get(7),
            heartbeat_at: row.get(8),
            alive: row.get(9),
        })
        .collect())
}

/// The partitions of each partitioned table.
///
/// # Errors
/// When the database cannot be asked.
pub async fn partitions(db: &Db) -> Result<Vec<Partitions>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_STATUS_PARTITIONS, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Partitions {
            table: row.get(0),
            count: row.get(1),
            days_until: row.get(2),
            has_tail: row.get(3),
        })
        .collect())
}

/// The database's time, the one that all others are measured by.
///
/// # Errors
/// When the database cannot be asked.
pub async fn clock(db: &Db) -> Result<Timestamp, StoreError> {
    let rows = db.session().await?.query(&CONTROL_CLOCK, &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::other(CONTROL_CLOCK.name, "no answer"))?;
    Ok(row.get(0))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}
