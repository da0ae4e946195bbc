//! The fleet's registry: who runs, who lives, who died.

use std::time::Duration;

use jiff::Timestamp;

use crate::control::ENDPOINTS_CHANNEL;
use crate::deliveries::whole_seconds;
use crate::statement::{
    CONTROL_NOTIFY, WORKERS_CONDEMN, WORKERS_DEAD, WORKERS_DELIVERING, WORKERS_FORGET,
    WORKERS_HEARTBEAT, WORKERS_NEXT, WORKERS_PEERS, WORKERS_PLACE, WORKERS_REGISTER,
    WORKERS_RELEASE_LEASES,
};
use crate::{Db, StoreError};

/// How others tell that a worker lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It holds the advisory lock on its incarnation.
    Lock,
    /// It has no session of its own to hold one: it says so every second.
    Heartbeat,
}

impl Liveness {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// A worker that enters the fleet.
#[derive(Debug, Clone)]
pub struct NewWorker<'a> {
    pub incarnation: i64,
    pub name: &'a str,
    pub version: &'a str,
    pub roles: &'a [&'a str],
    pub liveness: Liveness,
    /// `listen` or `poll`.
    pub wakeup: &'a str,
}

/// Draws the next incarnation: before anything is locked or written.
///
/// # Errors
/// When the database cannot be asked.
pub async fn next(db: &Db) -> Result<i64, StoreError> {
    let rows = db.session().await?.query(&WORKERS_NEXT, &[]).await?;
    rows.first()
        .map(|row| row.get(0))
        .ok_or_else(|| StoreError::other(WORKERS_NEXT.name, "no answer"))
}

/// Enters a worker, after it took the lock on its incarnation, and tells the others: what is allowed to the fleet is divided anew.
///
/// # Errors
/// When the database cannot be asked.
pub async fn register(db: &Db, worker: &NewWorker<'_>) -> Result<(), StoreError> {
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let params: crate::db::Params<'_> = &[
        &worker.incarnation,
        &worker.name,
        &pid,
        &worker.version,
        &worker.roles,
        &worker.liveness.as_str(),
        &worker.wakeup,
    ];
    let mut session = db.session().await?;
    session.query(&WORKERS_REGISTER, params).await?;
    session.query(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await.map(drop)
}

/// Says that a worker lives. `false`: it was judged dead and must come back under a new incarnation.
///
/// # Errors
/// When the database cannot be asked.
pub async fn heartbeat(db: &Db, incarnation: i64) -> Result<bool, StoreError> {
    let rows = db.session().await?.query(&WORKERS_HEARTBEAT, &[&incarnation]).await?;
    Ok(!rows.is_empty())
}

/// Takes a worker out of the fleet.
///
/// # Errors
/// When the database cannot be asked.
pub async fn forget(db: &Db, incarnation: i64) -> Result<(), StoreError> {
    db.session().await?.query(&WORKERS_FORGET, &[&incarnation]).await.map(drop)
}

/// How many other workers there are, alive or not yet found dead.
///
/// # Errors
/// When the database cannot be asked.
pub async fn peers(db: &Db, incarnation: i64) -> Result<usize, StoreError> {
    let rows = db.session().await?.query(&WORKERS_PEERS, &[&incarnation]).await?;
    Ok(rows.first().map_or(0, |row| usize::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
}

/// How many workers deliver, this one among them; 0 where none is registered.
///
/// # Errors
/// When the database cannot be asked.
pub async fn delivering(db: &Db) -> Result<usize, StoreError> {
    let rows = db.session().await?.query(&WORKERS_DELIVERING, &[]).await?;
    Ok(rows.first().map_or(0, |row| usize::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
}

/// How many workers deliver, and how many of them come before this incarnation: its place among them.
///
/// # Errors
/// When the database cannot be asked.
pub async fn place(db: &Db, incarnation: i64) -> Result<(usize, usize), StoreError> {
    let rows = db.session().await?.query(&WORKERS_PLACE, &[&incarnation]).await?;
    let number = |column| usize::try_from(rows[0].get::<_, i64>(column)).unwrap_or(0);
    Ok(if rows.is_empty() { (0, 0) } else { (number(0), number(1)) })
}

/// What one look at the fleet showed.
#[derive(Debug, Clone)]
pub struct Look {
    /// Since when the database server runs: another time means that every session was lost, ours too.
    pub server_started_at: Timestamp,
    /// Workers whose lock is free or whose heartbeat is old. A suspicion, not a verdict.
    pub suspects: Vec<Suspect>,
}

/// A worker that may be dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    pub incarnation: i64,
    pub name: String,
    /// `lock` or `heartbeat`.
    pub liveness: String,
}

/// Looks for workers that may be dead: those whose lock is free, or whose heartbeat is older than `heartbeat_limit`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn look(db: &Db, own: i64, heartbeat_limit: Duration) -> Result<Look, StoreError> {
    let rows =
        db.session().await?.query(&WORKERS_DEAD, &[&own, &whole_seconds(heartbeat_limit)]).await?;
    let row = rows.first().ok_or_else(|| StoreError::other(WORKERS_DEAD.name, "no answer"))?;
    let suspects = rows
        .iter()
        .filter_map(|row| {
            let incarnation: Option<i64> = row.get(1);
            incarnation.map(|incarnation| Suspect {
                incarnation,
                name: row.get(2),
                liveness: row.get(3),
            })
        })
        .collect();
    Ok(Look { server_started_at: row.get(0), suspects })
}

/// Workers that look dead at this moment: a suspicion, not a verdict.
///
/// # Errors
/// When the database cannot be asked.
pub async fn dead(
    db: &Db,
    own: i64,
    heartbeat_limit: Duration,
) -> Result<Vec<Suspect>, StoreError> {
    look(db, own, heartbeat_limit).await.map(|look| look.suspects)
}

/// What came of burying a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Burial {
    /// It lives after all, or another worker buries it.
    NotOurs,
    /// This many of its leases are due again; it may have more.
    Released(u64),
    /// These were its last leases; it is out of the fleet.
    Done(u64),
}

/// In one transaction: tests a worker's death once more, and makes up to `limit` of its leases due; if those were the last, takes
/// it out of the fleet. `lease` is how long a lease can be at most.
///
/// # Errors
/// When the database refuses; nothing of it is kept then.
pub async fn bury(
    db: &Db,
    dead: i64,
    heartbeat_limit: Duration,
    lease: Duration,
    limit: u32,
) -> Result<Burial, StoreError> {
    let mut session = db.session().await?;
    let found =
        session.begin_with(&WORKERS_CONDEMN, &[&dead, &whole_seconds(heartbeat_limit)]).await?;
    if found.is_empty() {
        session.rollback().await?;
        return Ok(Burial::NotOurs);
    }
    let released = session
        .execute(&WORKERS_RELEASE_LEASES, &[&dead, &whole_seconds(lease), &i64::from(limit)])
        .await?;
    let burial = if released < u64::from(limit) {
        session.execute(&WORKERS_FORGET, &[&dead]).await?;
        Burial::Done(released)
    } else {
        Burial::Released(released)
    };
    session.commit().await?;
    Ok(burial)
}
