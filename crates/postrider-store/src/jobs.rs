//! Jobs, as the worker sees them that does one: claimed for a while, carried on step by step, each step with its note of how far it came.
//! Reads and writes `jobs`. Making, listing and stopping them is in `admin::jobs`.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::ids::{EndpointId, JobId};
use serde_json::Value;

use crate::control::ENDPOINTS_CHANNEL;
use crate::deliveries::whole_seconds;
use crate::recover::{self, Owed};
use crate::statement::{
    ADMIN_ENDPOINTS_FIND, CONTROL_NOTIFY, JOBS_ADVANCE, JOBS_CLAIM, JOBS_FAIL, JOBS_PUT_OFF,
    JOBS_RELEASE,
};
use crate::{Db, StoreError};

/// A job that this worker does.
#[derive(Debug, Clone)]
pub struct ClaimedJob {
    pub id: JobId,
    pub tenant: String,
    pub endpoint: EndpointId,
    pub since: Timestamp,
    pub until: Timestamp,
    /// As `admin::jobs` wrote it.
    pub wanted: Value,
    /// Deliveries a second.
    pub rate: u32,
    /// The event up to which it has looked.
    pub looked_to: i64,
    /// Somebody asked it to stop before it went on.
    pub stop: bool,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is more to do.
    GoesOn,
    /// It is done, or somebody stopped it.
    Over,
    /// Another worker has it by now; nothing of this step was written.
    Lost,
    /// The endpoint is disabled or deleted; nothing of this step was written.
    NoEndpoint,
}

/// Takes the oldest job that nobody does, for so long.
///
/// # Errors
/// When the database cannot be asked.
pub async fn claim(db: &Db, owner: i64, lease: Duration) -> Result<Option<ClaimedJob>, StoreError> {
    let mut session = db.session().await?;
    let rows = session.query(&JOBS_CLAIM, &[&owner, &whole_seconds(lease)]).await?;
    Ok(rows.first().map(|row| ClaimedJob {
        id: JobId(row.get(0)),
        tenant: row.get(1),
        endpoint: EndpointId(row.get(2)),
        since: row.get(3),
        until: row.get(4),
        wanted: row.get(5),
        rate: u32::try_from(row.get::<_, i32>(6)).unwrap_or(1),
        looked_to: row.get(7),
        stop: row.get(8),
    }))
}

/// Owes what a step found and notes how far the job has come, in one transaction, and knocks for workers.
///
/// # Errors
/// When a statement or the commit fails; nothing is written then.
pub async fn advance(
    db: &Db,
    owner: i64,
    job: &ClaimedJob,
    owed: &[Owed],
    to: (i64, Option<Timestamp>),
    done: bool,
    lease: Duration,
) -> Result<Step, StoreError> {
    let mut session = db.session().await?;
    session.begin().await?;
    let made = match owed.is_empty() {
        true => 0,
        false => recover::owe(&session, job.endpoint, owed).await?,
    };
    if made == 0 && !owed.is_empty() {
        let rows = session.run(&ADMIN_ENDPOINTS_FIND, &[&job.endpoint.0, &job.endpoint.0]).await?;
        if !rows.first().is_some_and(|row| row.get("enabled")) {
            session.rollback().await?;
            return Ok(Step::NoEndpoint);
        }
    }
    let made_now = i64::try_from(made).unwrap_or(i64::MAX);
    let rows = session
        .run(
            &JOBS_ADVANCE,
            &[&job.id.0, &owner, &made_now, &to.0, &to.1, &done, &whole_seconds(lease)],
        )
        .await?;
    let Some(row) = rows.first() else {
        session.rollback().await?;
        return Ok(Step::Lost);
    };
    let step = if row.get::<_, &str>(0) == "running" { Step::GoesOn } else { Step::Over };
    if made > 0 {
        session.run(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await?;
    }
    session.commit().await?;
    Ok(step)
}

/// Ends a job that cannot go on.
///
/// # Errors
/// When the database cannot be asked.
pub async fn fail(db: &Db, owner: i64, job: JobId, why: &str) -> Result<(), StoreError> {
    db.session().await?.command(&JOBS_FAIL, &[&job.0, &owner, &why]).await.map(drop)
}

/// Gives a job back: another worker may go on with it at once.
///
/// # Errors
/// When the database cannot be asked.
pub async fn release(db: &Db, owner: i64, job: JobId) -> Result<(), StoreError> {
    db.session().await?.command(&JOBS_RELEASE, &[&job.0, &owner]).await.map(drop)
}

/// Leaves a job alone for so long, since it waits for something that is not its own: others are done meanwhile.
///
/// # Errors
/// When the database cannot be asked.
pub async fn put_off(db: &Db, owner: i64, job: JobId, wait: Duration) -> Result<(), StoreError> {
    let mut session = db.session().await?;
    session.command(&JOBS_PUT_OFF, &[&job.0, &owner, &whole_seconds(wait)]).await.map(drop)
}
