//! The janitor's connection: taken out of the pool for good, with settings and a lock of its own.
//!
//! One janitor of the fleet does housekeeping at a time: it holds an advisory lock of its session. Through a transaction
//! pooler there is no such lock; two janitors then meet in PostgreSQL's own locks, and the later one tries again next time.
//! No statement waits longer than a second for a lock, so nobody queues behind it for longer either.

use std::time::Duration;

use tokio_postgres::Row;

use crate::db::Params;
use crate::statement::CONTROL_TRY_LOCK;
use crate::{Db, ErrorKind, Mode, Session, Statement, StoreError};

const LOCK_CLASS: i32 = 1_886_352_248;
const LOCK_KEY: i32 = 0;
const SETTINGS: &str =
    "SET lock_timeout = '1s'; SET statement_timeout = '10min'; SET enable_bitmapscan = on";
/// How often a statement that did not get its lock is tried, and the pause between two tries.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// How long what waits without blocking anybody may wait for its lock.
const PATIENT: &str = "SET lock_timeout = '1min'";
/// The same for what reads a whole partition besides.
const BUILDING: &str = "SET lock_timeout = '1min'; SET statement_timeout = '2h'";
/// Through a pooler a command cannot be given a time-out on the server; it is given up on after this long.
const POOLED_LIMIT: Duration = Duration::from_secs(15);

/// The right to keep house, and the connection to do it on. Dropped, both go.
pub struct Maintenance {
    db: Db,
    session: Session,
}

impl Maintenance {
    /// Begins housekeeping; `None` if another janitor is at it.
    ///
    /// # Errors
    /// When no connection can be made.
    pub async fn begin(db: &Db) -> Result<Option<Self>, StoreError> {
        let mut maintenance = Self::unlocked(db).await?;
        if db.mode() == Mode::Direct {
            let rows =
                maintenance.session.query(&CONTROL_TRY_LOCK, &[&LOCK_CLASS, &LOCK_KEY]).await?;
            if !rows.first().is_some_and(|row| row.get(0)) {
                return Ok(None);
            }
        }
        Ok(Some(maintenance))
    }

    /// The connection alone, for what any number of workers may do at once.
    ///
    /// # Errors
    /// When no connection can be made.
    pub async fn unlocked(db: &Db) -> Result<Self, StoreError> {
        let maintenance = Self { db: db.clone(), session: db.apart().await? };
        maintenance.set(SETTINGS).await?;
        Ok(maintenance)
    }

    /// Changes settings of the session, where it is ours.
    async fn set(&self, settings: &str) -> Result<(), StoreError> {
        if self.db.mode() == Mode::Pooled {
            return Ok(());
        }
        let set = self.session.client().batch_execute(settings).await;
        set.map_err(|error| StoreError::new("setting up housekeeping", error))
    }

    /// One statement as a transaction of its own, tried again while it does not get its lock.
    pub(crate) async fn query(
        &mut self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut left = TRIES;
        loop {
            left -= 1;
            match self.session.query(statement, params).await {
                Err(error) if left > 0 && error.kind() == ErrorKind::Retryable => {
                    tokio::time::sleep(PAUSE).await
                }
                answer => return answer,
            }
        }
    }

    /// A command that takes no part in a transaction, in the words of the database's own `format()` or of a statement file.
    /// Tried again while it does not get its lock; `command` is asked anew each time, since half of it may have been done.
    /// No row: there is nothing to do.
    pub(crate) async fn command(
        &mut self,
        command: &Statement,
        params: Params<'_>,
    ) -> Result<bool, StoreError> {
        let mut left = TRIES;
        loop {
            left -= 1;
            let rows = self.query(command, params).await?;
            let Some(row) = rows.first() else { return Ok(left + 1 < TRIES) };
            let text: String = row.get(0);
            match self.outside(command.name, &text).await {
                Err(error) if left > 0 && error.kind() == ErrorKind::Retryable => {
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done.map(|()| true),
            }
        }
    }

    /// A statement file that takes no part in a transaction, once. It may wait long, for it holds nobody up.
    pub(crate) async fn alone(&mut self, statement: &Statement) -> Result<(), StoreError> {
        self.set(PATIENT).await?;
        let done = self.outside(statement.name, statement.sql).await;
        self.set(SETTINGS).await?;
        done
    }

    /// The next command of a long work that holds nobody up, once: it may wait, and it may take its time. `false`: there is nothing to do.
    pub(crate) async fn build(&mut self, command: &Statement) -> Result<bool, StoreError> {
        if self.db.mode() == Mode::Pooled {
            // Nobody could say whether it still runs in the server, nor stop it.
            return Ok(false);
        }
        let rows = self.query(command, &[]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let (text, waits_in_the_way): (String, bool) = (row.get(0), row.get(1));
        // What holds others up while it waits for its lock waits a moment only, and is tried again.
        self.set(if waits_in_the_way { SETTINGS } else { BUILDING }).await?;
        let done = self.outside(command.name, &text).await;
        self.set(SETTINGS).await?;
        done.map(|()| true)
    }

    /// Runs a command outside of any transaction.
    async fn outside(&mut self, doing: &'static str, command: &str) -> Result<(), StoreError> {
        let run = async {
            let done = self.session.client().batch_execute(command).await;
            done.map_err(|error| StoreError::new(doing, error))
        };
        if self.db.mode() == Mode::Direct {
            return run.await;
        }
        match tokio::time::timeout(POOLED_LIMIT, run).await {
            Ok(done) => done,
            Err(_) => {
                // The connection still waits for its answer; what comes next needs another one.
                self.session = self.db.apart().await?;
                Err(StoreError::other(
                    doing,
                    format!("no end within {POOLED_LIMIT:?}: a transaction is in the way"),
                ))
            }
        }
    }
}
