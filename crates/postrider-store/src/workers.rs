//! The fleet's registry: who runs, who lives, who died.

use std::time::Duration;

use crate::statement::{
    WORKERS_DEAD, WORKERS_FORGET, WORKERS_HEARTBEAT, WORKERS_NEXT, WORKERS_PEERS, WORKERS_REGISTER,
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

/// Enters a worker, after it took the lock on its incarnation.
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
    db.session().await?.query(&WORKERS_REGISTER, params).await.map(drop)
}

/// A worker whose lock is free or whose heartbeat is old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    pub incarnation: i64,
    pub name: String,
}

/// Workers that look dead at this moment: a test, not a verdict.
///
/// # Errors
/// When the database cannot be asked.
pub async fn dead(
    db: &Db,
    incarnation: i64,
    heartbeat_grace: Duration,
) -> Result<Vec<Suspect>, StoreError> {
    let grace = i32::try_from(heartbeat_grace.as_secs()).unwrap_or(i32::MAX);
    let rows = db.session().await?.query(&WORKERS_DEAD, &[&incarnation, &grace]).await?;
    Ok(rows.iter().map(|row| Suspect { incarnation: row.get(0), name: row.get(1) }).collect())
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
