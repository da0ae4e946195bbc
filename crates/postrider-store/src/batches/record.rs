//! Recording what came of one request that carried a batch: all of its members in one transaction, or none.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use postrider_core::status::ErrorClass;
use uuid::Uuid;

use crate::db::Params;
use crate::deliveries::record::{
    CloseColumns, close, keeping_first_ends, millis, reschedule, small, tell_exhausted,
};
use crate::deliveries::{Close, Recorded, Reschedule};
use crate::statement::{BATCHES_ATTEMPTS, BATCHES_FORGET};
use crate::{Db, Session, StoreError};

/// What a request meant for its members.
#[derive(Debug, Clone)]
pub struct BatchRecords {
    pub batch: BatchId,
    pub endpoint: EndpointId,
    pub closes: Vec<Close>,
    pub reschedules: Vec<Reschedule>,
    /// Another request with the same members follows. Else what is rescheduled goes by itself.
    pub again: bool,
    /// The request, as the history keeps it.
    pub request: Request,
}

/// One request as the history keeps it, if it is kept for any member.
#[derive(Debug, Clone)]
pub struct Request {
    pub started_at: Timestamp,
    pub duration: Duration,
    pub peer: Option<IpAddr>,
    /// What more is known of it, one of our words.
    pub detail: Option<&'static str>,
    /// `name: value` lines as received.
    pub headers: Vec<u8>,
    pub body: Vec<u8>,
    /// Those that have it in their history.
    pub members: Vec<MemberAttempt>,
}

/// What the request was to one member.
#[derive(Debug, Clone)]
pub struct MemberAttempt {
    pub delivery: DeliveryId,
    /// 1 for the first.
    pub attempt: u16,
    pub http_status: Option<u16>,
    /// `delivered`, `retry`, `exhausted` or `rejected`.
    pub outcome: &'static str,
    pub error: Option<ErrorClass>,
}

impl BatchRecords {
    /// How many members it is about.
    #[must_use]
    pub fn len(&self) -> usize {
        self.closes.len() + self.reschedules.len()
    }

    /// Whether it is about nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes it: one transaction.
///
/// # Errors
/// When a statement or the commit fails; nothing is written then.
pub async fn record(db: &Db, owner: i64, records: &BatchRecords) -> Result<Recorded, StoreError> {
    keeping_first_ends(db, owner, &records.closes, || async {
        let (session, closed, rescheduled) = write(db, owner, &[records]).await?;
        let recorded = Recorded::of(records.len(), closed, rescheduled);
        // Who has lost all leases knows nothing of what the batch is by now.
        let over = recorded.closed + recorded.rescheduled > 0 && !records.again;
        let over: &[Uuid] = if over { &[records.batch.0] } else { &[] };
        finish(session, over).await?;
        Ok(recorded)
    })
    .await
}

/// Writes several in one transaction; `None`, and nothing is written, where a lease of one of them was lost.
///
/// # Errors
/// When a statement or the commit fails; nothing is written then.
pub async fn record_together(
    db: &Db,
    owner: i64,
    all: &[BatchRecords],
) -> Result<Option<Vec<Recorded>>, StoreError> {
    let each: Vec<&BatchRecords> = all.iter().collect();
    let (mut session, closed, rescheduled) = write(db, owner, &each).await?;
    let outcomes = all.iter().map(BatchRecords::len).sum();
    if Recorded::of(outcomes, closed, rescheduled).lost > 0 {
        session.rollback().await?;
        return Ok(None);
    }
    let over: Vec<Uuid> =
        all.iter().filter(|records| !records.again).map(|records| records.batch.0).collect();
    finish(session, &over).await?;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let of = |r: &BatchRecords| Recorded {
        closed: count(r.closes.len()),
        rescheduled: count(r.reschedules.len()),
        ..Recorded::default()
    };
    Ok(Some(all.iter().map(of).collect()))
}

/// Everything but the batches themselves, in a transaction that is still open. How many members were closed, and how many rescheduled.
async fn write(
    db: &Db,
    owner: i64,
    all: &[&BatchRecords],
) -> Result<(Session, u64, u64), StoreError> {
    let mut closes: Vec<Close> = all.iter().flat_map(|r| r.closes.iter().cloned()).collect();
    let mut later: Vec<Reschedule> =
        all.iter().flat_map(|r| r.reschedules.iter().cloned()).collect();
    closes.sort_unstable_by_key(|close| close.id);
    later.sort_unstable_by_key(|reschedule| reschedule.id);
    let mut session = db.session().await?;
    session.begin().await?;
    let closed = close(&session, &CloseColumns::of(&closes), &owner).await?;
    tell_exhausted(&session, &closes, owner).await?;
    let rescheduled = reschedule(&session, &later, owner).await?;
    session.prepare(&BATCHES_ATTEMPTS).await?;
    let kept = all.iter().filter(|records| !records.request.members.is_empty());
    try_join_all(kept.map(|records| attempts(&session, records))).await?;
    Ok((session, closed, rescheduled))
}

/// Commits, and takes away the batches that are over.
async fn finish(mut session: Session, over: &[Uuid]) -> Result<(), StoreError> {
    if !over.is_empty() {
        session.execute(&BATCHES_FORGET, &[&over]).await?;
    }
    session.commit().await
}

async fn attempts(session: &Session, records: &BatchRecords) -> Result<u64, StoreError> {
    let (request, members) = (&records.request, &records.request.members);
    let ids: Vec<Uuid> = members.iter().map(|m| m.delivery.0).collect();
    let numbers: Vec<i16> = members.iter().map(|m| small(m.attempt)).collect();
    let statuses: Vec<Option<i16>> = members.iter().map(|m| m.http_status.map(small)).collect();
    let outcomes: Vec<&str> = members.iter().map(|m| m.outcome).collect();
    let errors: Vec<Option<&str>> =
        members.iter().map(|m| m.error.map(ErrorClass::as_str)).collect();
    let duration = millis(request.duration);
    let params: Params<'_> = &[
        &ids,
        &numbers,
        &statuses,
        &outcomes,
        &errors,
        &records.batch.0,
        &records.endpoint.0,
        &request.started_at,
        &duration,
        &request.peer,
        &request.headers,
        &request.body,
        &request.detail,
    ];
    session.execute(&BATCHES_ATTEMPTS, params).await
}
