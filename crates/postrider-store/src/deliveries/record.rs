//! Recording what came back: closes, reschedules and attempts of a flush in one transaction.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join5;
use jiff::Timestamp;
use postrider_core::filter::OPERATOR_EVENTS;
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::status::{DeliveryStatus, ErrorClass};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::statement::{
    ATTEMPTS_INSERT, DELIVERIES_CLOSE, DELIVERIES_DROP_DOUBLED, DELIVERIES_RESCHEDULE,
    DELIVERIES_TELL_EXHAUSTED,
};
use crate::{Db, Session, StoreError};

/// The end of a delivery.
#[derive(Debug, Clone)]
pub struct Close {
    pub id: DeliveryId,
    /// Whose next delivery waits for the end of this one, where it has an order key.
    pub next_of: Option<EndpointId>,
    pub lease_no: i32,
    /// Attempts made in all.
    pub attempts: u16,
    pub status: DeliveryStatus,
    pub reason: Option<&'static str>,
    pub http_status: Option<u16>,
    pub duration: Option<Duration>,
    pub error: Option<ErrorClass>,
}

/// Another attempt is owed.
#[derive(Debug, Clone)]
pub struct Reschedule {
    pub id: DeliveryId,
    /// Whose it is: for whoever waits for the next attempt.
    pub endpoint: EndpointId,
    pub lease_no: i32,
    /// Attempts made in all.
    pub attempts: u16,
    pub after: Duration,
    pub http_status: Option<u16>,
    pub duration: Duration,
    pub error: Option<ErrorClass>,
}

/// One request made, for the history.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    pub delivery: DeliveryId,
    pub endpoint: EndpointId,
    pub started_at: Timestamp,
    pub duration: Duration,
    /// 1 for the first.
    pub attempt: u16,
    pub http_status: Option<u16>,
    /// `delivered`, `retry`, `exhausted` or `rejected`.
    pub outcome: &'static str,
    pub error: Option<ErrorClass>,
    pub peer: Option<IpAddr>,
    /// `name: value` lines as received.
    pub headers: Vec<u8>,
    pub body: Vec<u8>,
    /// What more is known of it, one of our words; `Answer::detail` says which.
    pub detail: Option<&'static str>,
}

/// What a flush of the recorder writes, each part in delivery-id order.
#[derive(Debug, Default, Clone)]
pub struct Records {
    pub closes: Vec<Close>,
    pub reschedules: Vec<Reschedule>,
    pub attempts: Vec<AttemptRecord>,
}

/// What became of [`Records`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub closed: u64,
    pub rescheduled: u64,
    /// Their lease had been lost; a newer one owns them.
    pub lost: u64,
    /// Closed twice: must never happen, an alarm. What was closed first is kept.
    pub doubled: u64,
}

impl Recorded {
    /// What so many outcomes have become: what was neither closed nor rescheduled was lost.
    pub(crate) fn of(outcomes: usize, closed: u64, rescheduled: u64) -> Self {
        let outcomes = u64::try_from(outcomes).unwrap_or(u64::MAX);
        let lost = outcomes.saturating_sub(closed + rescheduled);
        Self { closed, rescheduled, lost, doubled: 0 }
    }
}

impl Records {
    /// Nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.closes.is_empty() && self.reschedules.is_empty() && self.attempts.is_empty()
    }

    /// How many outcomes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.closes.len() + self.reschedules.len()
    }
}

/// Writes outcomes: one transaction, one statement for each kind, pipelined.
///
/// # Errors
/// When a statement or the commit fails; nothing is written then.
pub async fn record(db: &Db, owner: i64, records: &Records) -> Result<Recorded, StoreError> {
    keeping_first_ends(db, owner, &records.closes, || write(db, owner, records)).await
}

/// Writes, and where a delivery is closed already, which must never happen, keeps what was closed first and writes the others.
pub(crate) async fn keeping_first_ends<W>(
    db: &Db,
    owner: i64,
    closes: &[Close],
    write: impl Fn() -> W,
) -> Result<Recorded, StoreError>
where
    W: Future<Output = Result<Recorded, StoreError>>,
{
    match write().await {
        Err(error) if error.sqlstate() == Some(UNIQUE_VIOLATION) => {
            let ids: Vec<Uuid> = closes.iter().map(|close| close.id.0).collect();
            let doubled =
                db.session().await?.command(&DELIVERIES_DROP_DOUBLED, &[&ids, &owner]).await?;
            if doubled == 0 {
                return Err(error);
            }
            let recorded = write().await?;
            Ok(Recorded { doubled, lost: recorded.lost.saturating_sub(doubled), ..recorded })
        }
        written => written,
    }
}

const UNIQUE_VIOLATION: &str = "23505";

async fn write(db: &Db, owner: i64, records: &Records) -> Result<Recorded, StoreError> {
    let mut session = db.session().await?;
    let closes = CloseColumns::of(&records.closes);
    let exhausted = records.closes.iter().any(is_exhausted);
    if records.reschedules.is_empty() && records.attempts.is_empty() && !exhausted {
        let closed = session.command(&DELIVERIES_CLOSE, &closes.params(&owner)).await?;
        return Ok(Recorded::of(records.len(), closed, 0));
    }
    for statement in
        [&DELIVERIES_CLOSE, &DELIVERIES_TELL_EXHAUSTED, &DELIVERIES_RESCHEDULE, &ATTEMPTS_INSERT]
    {
        session.prepare(statement).await?;
    }
    session.begin().await?;
    let (closed, told, rescheduled, inserted, committed) = join5(
        close(&session, &closes, &owner),
        tell_exhausted(&session, &records.closes, owner),
        reschedule(&session, &records.reschedules, owner),
        attempts(&session, &records.attempts),
        session.commit_pipelined(),
    )
    .await;
    if committed.is_ok() {
        session.committed();
    }
    let (closed, rescheduled) = (closed?, rescheduled?);
    told?;
    inserted?;
    committed?;
    Ok(Recorded::of(records.len(), closed, rescheduled))
}

pub(crate) struct CloseColumns {
    ids: Vec<Uuid>,
    lease_nos: Vec<i32>,
    attempts: Vec<i16>,
    http_statuses: Vec<Option<i16>>,
    durations: Vec<Option<i32>>,
    statuses: Vec<&'static str>,
    reasons: Vec<Option<&'static str>>,
    errors: Vec<Option<&'static str>>,
}

impl CloseColumns {
    pub(crate) fn of(closes: &[Close]) -> Self {
        Self {
            ids: closes.iter().map(|c| c.id.0).collect(),
            lease_nos: closes.iter().map(|c| c.lease_no).collect(),
            attempts: closes.iter().map(|c| small(c.attempts)).collect(),
            http_statuses: closes.iter().map(|c| c.http_status.map(small)).collect(),
            durations: closes.iter().map(|c| c.duration.map(millis)).collect(),
            statuses: closes.iter().map(|c| c.status.as_str()).collect(),
            reasons: closes.iter().map(|c| c.reason).collect(),
            errors: closes.iter().map(|c| c.error.map(ErrorClass::as_str)).collect(),
        }
    }

    pub(crate) fn params<'a>(&'a self, owner: &'a i64) -> [&'a (dyn ToSql + Sync); 9] {
        [
            &self.ids,
            &self.lease_nos,
            &self.attempts,
            &self.http_statuses,
            &self.durations,
            &self.statuses,
            &self.reasons,
            &self.errors,
            owner,
        ]
    }
}

pub(crate) async fn close(
    session: &Session,
    closes: &CloseColumns,
    owner: &i64,
) -> Result<u64, StoreError> {
    if closes.ids.is_empty() {
        return Ok(0);
    }
    session.execute(&DELIVERIES_CLOSE, &closes.params(owner)).await
}

fn is_exhausted(close: &Close) -> bool {
    close.status == DeliveryStatus::Exhausted
}

/// Says which deliveries have spent their schedule, in the transaction that closes them.
pub(crate) async fn tell_exhausted(
    session: &Session,
    rows: &[Close],
    owner: i64,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = rows.iter().filter(|c| is_exhausted(c)).map(|c| c.id.0).collect();
    if !ids.is_empty() {
        let params: [&(dyn ToSql + Sync); 3] = [&ids, &owner, &OPERATOR_EVENTS.as_slice()];
        session.run(&DELIVERIES_TELL_EXHAUSTED, &params).await?;
    }
    Ok(())
}

pub(crate) async fn reschedule(
    session: &Session,
    rows: &[Reschedule],
    owner: i64,
) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let ids: Vec<Uuid> = rows.iter().map(|r| r.id.0).collect();
    let lease_nos: Vec<i32> = rows.iter().map(|r| r.lease_no).collect();
    let attempts: Vec<i16> = rows.iter().map(|r| small(r.attempts)).collect();
    let http_statuses: Vec<Option<i16>> = rows.iter().map(|r| r.http_status.map(small)).collect();
    let durations: Vec<i32> = rows.iter().map(|r| millis(r.duration)).collect();
    let waits: Vec<i64> =
        rows.iter().map(|r| i64::try_from(r.after.as_millis()).unwrap_or(i64::MAX)).collect();
    let errors: Vec<Option<&str>> = rows.iter().map(|r| r.error.map(ErrorClass::as_str)).collect();
    session
        .execute(
            &DELIVERIES_RESCHEDULE,
            &[&ids, &lease_nos, &attempts, &http_statuses, &durations, &waits, &errors, &owner],
        )
        .await
}

async fn attempts(session: &Session, rows: &[AttemptRecord]) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let deliveries: Vec<Uuid> = rows.iter().map(|r| r.delivery.0).collect();
    let started: Vec<Timestamp> = rows.iter().map(|r| r.started_at).collect();
    let endpoints: Vec<Uuid> = rows.iter().map(|r| r.endpoint.0).collect();
    let durations: Vec<i32> = rows.iter().map(|r| millis(r.duration)).collect();
    let numbers: Vec<i16> = rows.iter().map(|r| small(r.attempt)).collect();
    let statuses: Vec<Option<i16>> = rows.iter().map(|r| r.http_status.map(small)).collect();
    let outcomes: Vec<&str> = rows.iter().map(|r| r.outcome).collect();
    let errors: Vec<Option<&str>> = rows.iter().map(|r| r.error.map(ErrorClass::as_str)).collect();
    let peers: Vec<Option<IpAddr>> = rows.iter().map(|r| r.peer).collect();
    let headers: Vec<&[u8]> = rows.iter().map(|r| r.headers.as_slice()).collect();
    let bodies: Vec<&[u8]> = rows.iter().map(|r| r.body.as_slice()).collect();
    let details: Vec<Option<&str>> = rows.iter().map(|r| r.detail).collect();
    session
        .execute(
            &ATTEMPTS_INSERT,
            &[
                &deliveries,
                &started,
                &endpoints,
                &durations,
                &numbers,
                &statuses,
                &outcomes,
                &errors,
                &peers,
                &headers,
                &bodies,
                &details,
            ],
        )
        .await
}

pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

pub(crate) fn small(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}
