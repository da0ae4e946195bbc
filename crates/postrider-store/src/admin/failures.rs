//! What went wrong for good: events that fan-out gave up on, and best-effort publishes that failed.
//! Reads and writes `webhook_events_failed` and the queue; reads `webhook_publish_failures`.

use jiff::Timestamp;

use crate::control::EVENTS_CHANNEL;
use crate::statement::{
    ADMIN_FAILURES_LIST, ADMIN_FAILURES_PUBLISH, ADMIN_FAILURES_REQUEUE, CONTROL_NOTIFY,
};
use crate::{Db, StoreError};

/// How many events one statement puts back.
const REQUEUE_CHUNK: i64 = 500;

/// An event that fan-out gave up on.
#[derive(Debug, Clone)]
pub struct FailedEvent {
    pub seq: i64,
    pub created_at: Timestamp,
    pub failed_at: Timestamp,
    pub attempts: i16,
    pub reason: String,
    pub last_error: Option<String>,
    /// `None` where the body is gone, and with it the chance to fan it out.
    pub tenant: Option<String>,
    pub id: Option<String>,
    pub event_type: Option<String>,
}

/// A best-effort publish that failed; what it would have said is not kept.
#[derive(Debug, Clone)]
pub struct PublishFailure {
    pub id: i64,
    pub failed_at: Timestamp,
    pub tenant: Option<String>,
    pub event_id: Option<String>,
    pub event_type: Option<String>,
    pub reason: String,
}

/// What became of the events to be put back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requeued {
    /// On the queue again.
    pub requeued: u64,
    /// Left where they were: their body is gone.
    pub without_body: u64,
}

/// One page of failed events, oldest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(db: &Db, after: i64, limit: i64) -> Result<Vec<FailedEvent>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_FAILURES_LIST, &[&after, &limit]).await?;
    Ok(rows
        .iter()
        .map(|row| FailedEvent {
            seq: row.get(0),
            created_at: row.get(1),
            failed_at: row.get(2),
            attempts: row.get(3),
            reason: row.get(4),
            last_error: row.get(5),
            tenant: row.get(6),
            id: row.get(7),
            event_type: row.get(8),
        })
        .collect())
}

/// The newest best-effort publishes that failed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn publish_failures(db: &Db, limit: i64) -> Result<Vec<PublishFailure>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_FAILURES_PUBLISH, &[&limit]).await?;
    Ok(rows
        .iter()
        .map(|row| PublishFailure {
            id: row.get(0),
            failed_at: row.get(1),
            tenant: row.get(2),
            event_id: row.get(3),
            event_type: row.get(4),
            reason: row.get(5),
        })
        .collect())
}

/// Puts failed events back on the queue, those given or all, and knocks for a worker.
///
/// # Errors
/// When the database cannot be asked; what was put back before stays so.
pub async fn requeue(db: &Db, seqs: Option<&[i64]>) -> Result<Requeued, StoreError> {
    let mut session = db.session().await?;
    let mut sum = Requeued::default();
    let mut after = -1_i64;
    loop {
        let rows = session.query(&ADMIN_FAILURES_REQUEUE, &[&seqs, &after, &REQUEUE_CHUNK]).await?;
        for row in &rows {
            after = row.get(0);
            if row.get(1) {
                sum.requeued += 1;
            } else {
                sum.without_body += 1;
            }
        }
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) < REQUEUE_CHUNK {
            break;
        }
    }
    if sum.requeued > 0 {
        session.query(&CONTROL_NOTIFY, &[&EVENTS_CHANNEL, &""]).await?;
    }
    Ok(sum)
}
