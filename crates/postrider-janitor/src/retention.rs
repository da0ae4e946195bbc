//! Lets go what is old, and never what is still owed.
//! Bodies go by the day once no event of it is pending and no delivery open; closed deliveries and attempts by the day; the
//! ledger, recorded failures, the audit log and jobs in chunks. An open delivery whose body's time is up is closed first, as exhausted.

mod days;
mod rows;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_runtime::{Metrics, Stop};
use postrider_store::maintenance::Maintenance;
use postrider_store::partitions::{self, Parent};
use postrider_store::{Db, StoreError};
use tokio::time::Instant;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long [`prune`] waits for a janitor that is at it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is kept for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Bodies of events.
    pub events: Duration,
    /// Closed deliveries and attempts. Closed deliveries stay at least a day longer than the bodies, since a replay asks
    /// them what was delivered already.
    pub deliveries: Duration,
    /// Ids of events: for so long, one cannot be published twice.
    pub ledger: Duration,
    /// Failed best-effort publishes, and events that could not be fanned out.
    pub failures: Duration,
    /// What people changed.
    pub audit: Duration,
    /// Bulk work that has ended.
    pub jobs: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            events: 30 * DAY,
            deliveries: 90 * DAY,
            ledger: 90 * DAY,
            failures: 90 * DAY,
            audit: 400 * DAY,
            jobs: 90 * DAY,
        }
    }
}

impl Retention {
    fn closed(&self) -> Duration {
        self.deliveries.max(self.events + DAY)
    }
}

/// What one round let go, or would.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PruneReport {
    /// Nothing was changed: these are the numbers of what would be.
    pub dry_run: bool,
    /// Bodies of events.
    pub events: u64,
    /// Closed deliveries.
    pub deliveries: u64,
    /// Attempts.
    pub attempts: u64,
    /// Ids of events.
    pub ledger: u64,
    /// Recorded publish failures.
    pub publish_failures: u64,
    /// Events that could not be fanned out.
    pub failed_events: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Jobs that have ended.
    pub jobs: u64,
    /// Open deliveries closed as exhausted, since their bodies go.
    pub expired: u64,
    /// The partitions dropped.
    pub dropped: Vec<String>,
    /// Days that are old enough but stay.
    pub kept: Vec<Kept>,
}

/// A day that is old enough to go but stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The partition.
    pub name: String,
    /// Why: an event is pending, a delivery is open, a transaction is writing.
    pub why: &'static str,
}

/// One round, for `postrider prune`: waits up to a minute for a janitor that is at it.
///
/// # Errors
/// When the database refuses, or another janitor does not come to an end.
pub async fn prune(
    db: &Db,
    retention: &Retention,
    dry_run: bool,
) -> Result<PruneReport, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    let mut maintenance = loop {
        if let Some(maintenance) = Maintenance::begin(db).await? {
            break maintenance;
        }
        if Instant::now() >= deadline {
            return Err(StoreError::other(
                "pruning",
                "a worker's janitor has been at it for a minute; try again later",
            ));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    pass(&mut maintenance, retention, None, dry_run, &Stop::new()).await
}

/// One round. `now` is the database's clock unless a test pins it. A stop ends it early; the next one goes on from there.
///
/// # Errors
/// When the database refuses. What was let go until then is gone.
pub async fn pass(
    maintenance: &mut Maintenance,
    retention: &Retention,
    now: Option<Timestamp>,
    dry_run: bool,
    stop: &Stop,
) -> Result<PruneReport, StoreError> {
    let listing = partitions::list(maintenance, now).await?;
    let now = listing.now;
    let mut round =
        Round { maintenance, now, stop, report: PruneReport { dry_run, ..PruneReport::default() } };
    days::events(&mut round, &listing, cutoff(now, retention.events)).await?;
    days::closed(&mut round, &listing, cutoff(now, retention.closed())).await?;
    days::attempts(&mut round, &listing, cutoff(now, retention.deliveries)).await?;
    rows::ledger(&mut round, cutoff(now, retention.ledger)).await?;
    rows::failures(&mut round, cutoff(now, retention.failures)).await?;
    rows::audit(&mut round, cutoff(now, retention.audit)).await?;
    rows::jobs(&mut round, cutoff(now, retention.jobs)).await?;
    rows::batches(&mut round).await?;
    rows::idempotency(&mut round).await?;
    Ok(round.report)
}

/// Counts what a round let go.
pub(crate) fn count(report: &PruneReport, metrics: &Metrics) {
    metrics.partitions_dropped.inc_by(report.dropped.len() as u64);
    metrics.bodies_expired.inc_by(report.expired);
    metrics.deleted(Parent::Events.as_str(), report.events);
    metrics.deleted(Parent::Closed.as_str(), report.deliveries);
    metrics.deleted(Parent::Attempts.as_str(), report.attempts);
    metrics.deleted("webhook_event_ids", report.ledger);
    metrics.deleted("webhook_publish_failures", report.publish_failures);
    metrics.deleted("webhook_events_failed", report.failed_events);
    metrics.deleted("audit_log", report.audit);
    metrics.deleted("jobs", report.jobs);
}

/// What travels through a round.
struct Round<'a> {
    maintenance: &'a mut Maintenance,
    now: Timestamp,
    stop: &'a Stop,
    report: PruneReport,
}

impl Round<'_> {
    /// Whether to go on.
    fn goes_on(&self) -> bool {
        !self.stop.soft_requested()
    }
}

fn cutoff(now: Timestamp, keep: Duration) -> Timestamp {
    SignedDuration::try_from(keep)
        .ok()
        .and_then(|keep| now.checked_sub(keep).ok())
        .unwrap_or(Timestamp::MIN)
}
