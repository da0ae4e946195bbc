//! What may go, and letting it go. Never anything still owed: an event not fanned out, a delivery not at its end.

use jiff::Timestamp;
use postrider_core::filter::OPERATOR_EVENTS;

use crate::StoreError;
use crate::control::ENDPOINTS_CHANNEL;
use crate::db::Params;
use crate::maintenance::Maintenance;
use crate::partitions::Partition;
use crate::statement::{
    BATCHES_PRUNE, RETENTION_BODIES_OWED, RETENTION_COUNT_AUDIT, RETENTION_COUNT_FAILED,
    RETENTION_COUNT_JOBS, RETENTION_COUNT_LEDGER, RETENTION_COUNT_OPEN,
    RETENTION_COUNT_PUBLISH_FAILURES, RETENTION_EXPIRE, RETENTION_LEDGER,
    RETENTION_LEDGER_LEFTOVERS, RETENTION_LEDGER_REINDEXED, RETENTION_MARK_LEDGER,
    RETENTION_OLDEST_OPEN, RETENTION_PRUNE_AUDIT, RETENTION_PRUNE_FAILED,
    RETENTION_PRUNE_IDEMPOTENCY, RETENTION_PRUNE_JOBS, RETENTION_PRUNE_LEDGER,
    RETENTION_PRUNE_PUBLISH_FAILURES, RETENTION_REINDEX_LEDGER,
};

/// Why the bodies of a day may not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    /// One of its events has not been fanned out.
    Pending,
    /// One of its events is still owed to an endpoint.
    Open,
    /// Somebody's open transaction writes into it.
    Busy,
}

impl Owed {
    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "open" => Self::Open,
            _ => Self::Busy,
        }
    }
}

/// Why the bodies of a day may not go; `None`: they may.
///
/// # Errors
/// When the database cannot be asked.
pub async fn bodies_owed(
    maintenance: &mut Maintenance,
    day: &Partition,
) -> Result<Option<Owed>, StoreError> {
    let rows = maintenance.query(&RETENTION_BODIES_OWED, &[&day.name, &day.lo, &day.hi]).await?;
    Ok(rows.first().and_then(|row| row.get(0)).map(Owed::from_word))
}

/// Closes up to `limit` open deliveries of a day whose bodies go, as exhausted, and publishes `delivery.exhausted` for each; what
/// a worker has in hand stays. Returns how many were closed.
///
/// # Errors
/// When the database refuses.
pub async fn expire(
    maintenance: &mut Maintenance,
    day: &Partition,
    limit: i64,
) -> Result<u64, StoreError> {
    let params: Params<'_> =
        &[&day.lo, &day.hi, &limit, &OPERATOR_EVENTS.as_slice(), &ENDPOINTS_CHANNEL];
    let rows = maintenance.query(&RETENTION_EXPIRE, params).await?;
    let (closed, kept) =
        rows.first().map_or((0, 0), |row| (row.get::<_, i64>(0), row.get::<_, i64>(1)));
    if closed != kept {
        tracing::error!(
            closed,
            kept,
            "{} deliveries were closed that had been closed before",
            closed - kept
        );
    }
    Ok(count(closed))
}

/// How many open deliveries of a day there are.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count_open(maintenance: &mut Maintenance, day: &Partition) -> Result<u64, StoreError> {
    number(maintenance, &RETENTION_COUNT_OPEN, &[&day.lo, &day.hi]).await
}

/// When the oldest event that is still owed to an endpoint was published.
///
/// # Errors
/// When the database cannot be asked.
pub async fn oldest_open(maintenance: &mut Maintenance) -> Result<Option<Timestamp>, StoreError> {
    Ok(maintenance.query(&RETENTION_OLDEST_OPEN, &[]).await?.first().map(|row| row.get(0)))
}

/// How far the ledger is pruned, and how far it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ledger {
    /// Every `seq` up to here is gone.
    pub pruned_to: i64,
    /// Every `seq` up to here may go.
    pub prune_to: i64,
    /// No row from this time on may go.
    pub before: Timestamp,
    /// `pruned_to` when the block-range index was made anew.
    pub indexed_at: i64,
    /// The newest `seq`.
    pub last_seq: i64,
}

/// Notes where the ledger stands, once a day. `now` is for tests.
///
/// # Errors
/// When the database refuses.
pub async fn mark_ledger(
    maintenance: &mut Maintenance,
    now: Option<Timestamp>,
) -> Result<(), StoreError> {
    maintenance.query(&RETENTION_MARK_LEDGER, &[&now]).await.map(drop)
}

/// How far the ledger may be pruned if rows from before `cutoff` may go.
///
/// # Errors
/// When the database cannot be asked.
pub async fn ledger(
    maintenance: &mut Maintenance,
    cutoff: Timestamp,
) -> Result<Ledger, StoreError> {
    let rows = maintenance.query(&RETENTION_LEDGER, &[&cutoff]).await?;
    let row = rows.first().ok_or_else(|| {
        StoreError::other(RETENTION_LEDGER.name, "postrider.ledger_state has no row")
    })?;
    Ok(Ledger {
        pruned_to: row.get(0),
        prune_to: row.get(1),
        before: row.get(2),
        indexed_at: row.get(3),
        last_seq: row.get(4),
    })
}

/// Deletes the ledger's rows with a `seq` in (`from`, `to`] from before `before`, and notes the progress.
///
/// # Errors
/// When the database refuses.
pub async fn prune_ledger(
    maintenance: &mut Maintenance,
    from: i64,
    to: i64,
    before: Timestamp,
) -> Result<u64, StoreError> {
    number(maintenance, &RETENTION_PRUNE_LEDGER, &[&from, &to, &before]).await
}

/// How many rows [`prune_ledger`] would delete.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count_ledger(
    maintenance: &mut Maintenance,
    ledger: &Ledger,
) -> Result<u64, StoreError> {
    number(
        maintenance,
        &RETENTION_COUNT_LEDGER,
        &[&ledger.pruned_to, &ledger.prune_to, &ledger.before],
    )
    .await
}

/// Makes the ledger's block-range index anew, and removes what an interrupted attempt at it left.
///
/// # Errors
/// When the database refuses.
pub async fn reindex_ledger(maintenance: &mut Maintenance) -> Result<(), StoreError> {
    while maintenance.command(&RETENTION_LEDGER_LEFTOVERS, &[]).await? {}
    maintenance.alone(&RETENTION_REINDEX_LEDGER).await?;
    maintenance.query(&RETENTION_LEDGER_REINDEXED, &[]).await.map(drop)
}

/// A table of what is written down and only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// Best-effort publishes that failed.
    PublishFailures,
    /// Events that could not be fanned out.
    FailedEvents,
    /// What people changed.
    Audit,
    /// Bulk work that has ended.
    Jobs,
}

/// Deletes up to `limit` records from before `cutoff`; how many.
///
/// # Errors
/// When the database refuses.
pub async fn prune_records(
    maintenance: &mut Maintenance,
    which: Records,
    cutoff: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    let statement = match which {
        Records::PublishFailures => &RETENTION_PRUNE_PUBLISH_FAILURES,
        Records::FailedEvents => &RETENTION_PRUNE_FAILED,
        Records::Audit => &RETENTION_PRUNE_AUDIT,
        Records::Jobs => &RETENTION_PRUNE_JOBS,
    };
    number(maintenance, statement, &[&cutoff, &limit]).await
}

/// How many records are from before `cutoff`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count_records(
    maintenance: &mut Maintenance,
    which: Records,
    cutoff: Timestamp,
) -> Result<u64, StoreError> {
    let statement = match which {
        Records::PublishFailures => &RETENTION_COUNT_PUBLISH_FAILURES,
        Records::FailedEvents => &RETENTION_COUNT_FAILED,
        Records::Audit => &RETENTION_COUNT_AUDIT,
        Records::Jobs => &RETENTION_COUNT_JOBS,
    };
    number(maintenance, statement, &[&cutoff]).await
}

/// Deletes up to `limit` batches from before `cutoff` of which no member is owed any more; how many.
///
/// # Errors
/// When the database refuses.
pub async fn prune_batches(
    maintenance: &mut Maintenance,
    cutoff: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    number(maintenance, &BATCHES_PRUNE, &[&cutoff, &limit]).await
}

/// Deletes up to `limit` kept answers to requests with an idempotency key from before `cutoff`; how many.
///
/// # Errors
/// When the database refuses.
pub async fn prune_idempotency(
    maintenance: &mut Maintenance,
    cutoff: Timestamp,
    limit: i64,
) -> Result<u64, StoreError> {
    number(maintenance, &RETENTION_PRUNE_IDEMPOTENCY, &[&cutoff, &limit]).await
}

async fn number(
    maintenance: &mut Maintenance,
    statement: &crate::Statement,
    params: Params<'_>,
) -> Result<u64, StoreError> {
    Ok(maintenance.query(statement, params).await?.first().map_or(0, |row| count(row.get(0))))
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
