//! The worker's connections: a pool whose sessions all speak with the same settings, and the two ways to run a statement.
//!
//! On a *direct* connection the settings are set once and statements are prepared. Through a transaction *pooler* neither
//! survives the transaction, so each one carries its settings with `SET LOCAL` and statements are unnamed.

use std::borrow::Cow;
use std::sync::Arc;

use deadpool::managed::QueueMode;
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use futures_util::future::{try_join, try_join3};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::acting::Acting;
use crate::connect::HANDSHAKE;
use crate::{Connect, Statement, StoreError};

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What lies between us and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A connection is a session of ours: settings, prepared statements, LISTEN and session locks work.
    Direct,
    /// A transaction pooler may hand our session to strangers between two transactions.
    Pooled,
}

/// Settings of every worker session. The planner pins keep hot statements on their indexes whatever the statistics say:
/// measured, the recorder's statement prepared on an empty table kept a plan that read it whole (2,400 instead of 37,000/s).
const SETTINGS: &[(&str, &str)] = &[
    ("search_path", "pg_catalog, pg_temp"),
    ("default_transaction_isolation", "'read committed'"),
    ("synchronous_commit", "on"),
    ("timezone", "'UTC'"),
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Where an index gives the order, it is used, also while the table is empty: a plan that sorts instead stays when it is full.
    // Measured: the heads of 10,000 order keys took longer than the time-out, 30 s, instead of 50 ms.
    ("enable_sort", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("statement_timeout", "'30s'"),
    ("lock_timeout", "'5s'"),
    ("idle_in_transaction_session_timeout", "'10s'"),
    // In the audit log, where nobody else is named.
    ("postrider.actor", "'worker'"),
];

/// Besides, on our own sessions: a bitmap for each row of a batch costs a microsecond that a plain index scan does not. The
/// janitor, whose block-range index needs bitmaps, puts it back.
const NO_BITMAPS: &str = "SET SESSION enable_bitmapscan = off;";

fn settings(scope: &str) -> String {
    SETTINGS.iter().map(|(name, value)| format!("SET {scope} {name} = {value};")).collect()
}

/// The text that gives a session the settings of a worker's, for tests that explain statements as the worker runs them.
#[must_use]
pub fn session_settings() -> String {
    settings("SESSION") + NO_BITMAPS
}

/// A pool of worker connections to one database.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    mode: Mode,
    /// Said at the beginning of every transaction.
    acting: Option<Arc<str>>,
    /// Whether that shuts statements in with one tenant.
    shut_in: bool,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Db {
    /// A pool of up to `size` connections; none is opened yet.
    ///
    /// # Errors
    /// When the pool's settings make no sense.
    pub fn new(connect: &Connect, mode: Mode, size: usize) -> Result<Self, StoreError> {
        let manager = Manager::from_config(
            connect.config().clone(),
            connect.tls().clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let mut builder = Pool::builder(manager)
            .max_size(size.max(1))
            // The session used last knows the statements: in turn, each would prepare and plan them all (2 µs a delivery in a drain
            // of 20,000).
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(HANDSHAKE));
        if mode == Mode::Direct {
            let settings = session_settings();
            builder = builder.post_create(Hook::async_fn(move |client, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    client.batch_execute(&settings).await.map_err(HookError::Backend)
                })
            }));
        }
        let pool = builder.build().map_err(|error| {
            StoreError::other("building the connection pool", error.to_string())
        })?;
        Ok(Self { pool, mode, acting: None, shut_in: false })
    }

    /// The same connections, used on somebody's behalf: every statement runs in a transaction that says so.
    #[must_use]
    pub fn acting(&self, acting: &Acting) -> Self {
        let shut_in = acting.tenant.is_some();
        Self { acting: Some(acting.settings().into()), shut_in, ..self.clone() }
    }

    /// A connection of the pool, waiting for a free one.
    ///
    /// # Errors
    /// When no connection can be made.
    pub async fn session(&self) -> Result<Session, StoreError> {
        let client = self
            .pool
            .get()
            .await
            .map_err(|error| StoreError::new("getting a database connection", error))?;
        Ok(Session {
            client: Some(Connection::Shared(client)),
            mode: self.mode,
            acting: self.acting.clone(),
            shut_in: self.shut_in,
            in_transaction: false,
        })
    }

    /// A connection taken out of the pool for good: for session locks and settings that must not reach the next user.
    pub(crate) async fn apart(&self) -> Result<Session, StoreError> {
        let client = self
            .pool
            .get()
            .await
            .map_err(|error| StoreError::new("getting a database connection", error))?;
        Ok(Session {
            client: Some(Connection::Apart(Object::take(client))),
            mode: self.mode,
            acting: self.acting.clone(),
            shut_in: self.shut_in,
            in_transaction: false,
        })
    }

    /// What lies between us and the server.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Closes the pool; sessions in use end when they are dropped.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// One connection out of the pool. Dropped in the middle of a transaction, the connection is closed, not handed on.
pub struct Session {
    client: Option<Connection>,
    mode: Mode,
    acting: Option<Arc<str>>,
    shut_in: bool,
    in_transaction: bool,
}

enum Connection {
    /// Goes back to the pool.
    Shared(Object),
    /// Closes when its user is done.
    Apart(ClientWrapper),
}

impl Session {
    /// Begins a transaction together with its first statement, in one round trip.
    pub(crate) async fn begin_with(
        &mut self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.prepare(statement).await?;
        if self.acting.is_some() {
            self.begin().await?;
            return self.run(statement, params).await;
        }
        self.in_transaction = true;
        let begin = self.begin_text();
        let client = self.client();
        let (begun, rows) =
            futures_util::future::join(client.batch_execute(&begin), self.run(statement, params))
                .await;
        begun.map_err(|error| StoreError::new("beginning a transaction", error))?;
        rows
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        self.in_transaction = true;
        let begin = self.begin_text();
        self.client()
            .batch_execute(&begin)
            .await
            .map_err(|error| StoreError::new("beginning a transaction", error))
    }

    /// Sets something for the rest of the open transaction.
    pub(crate) async fn limit(&self, setting: &'static str) -> Result<(), StoreError> {
        let set = self.client().batch_execute(setting).await;
        set.map_err(|error| StoreError::new("setting up a transaction", error))
    }

    /// Runs a statement inside the open transaction.
    pub(crate) async fn run(
        &self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.client();
        match self.mode {
            Mode::Direct => {
                let prepared = client
                    .prepare_typed_cached(&self.text(statement), statement.types)
                    .await
                    .map_err(|error| StoreError::new(statement.name, error))?;
                client.query(&prepared, params).await
            }
            Mode::Pooled => client.query_typed(statement.sql, &typed(statement, params)).await,
        }
        .map_err(|error| StoreError::new(statement.name, error))
    }

    /// Like [`Session::run`], for statements that return no rows: how many rows they touched.
    pub(crate) async fn execute(
        &self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<u64, StoreError> {
        let client = self.client();
        match self.mode {
            Mode::Direct => {
                let prepared = client
                    .prepare_typed_cached(&self.text(statement), statement.types)
                    .await
                    .map_err(|error| StoreError::new(statement.name, error))?;
                client.execute(&prepared, params).await
            }
            Mode::Pooled => client.execute_typed(statement.sql, &typed(statement, params)).await,
        }
        .map_err(|error| StoreError::new(statement.name, error))
    }

    /// Makes sure that a statement is prepared, so that a later pipeline sends it in its place.
    pub(crate) async fn prepare(&self, statement: &Statement) -> Result<(), StoreError> {
        if self.mode == Mode::Direct {
            self.client()
                .prepare_typed_cached(&self.text(statement), statement.types)
                .await
                .map_err(|error| StoreError::new(statement.name, error))?;
        }
        Ok(())
    }

    /// Commits. The answer of a transaction that had failed is an error too: each statement's error was returned by it.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.client()
            .batch_execute("COMMIT")
            .await
            .map_err(|error| StoreError::new("committing", error))?;
        self.in_transaction = false;
        Ok(())
    }

    /// The future of a COMMIT, to be polled last in a pipeline; call [`Session::committed`] when it was answered.
    pub(crate) async fn commit_pipelined(&self) -> Result<(), StoreError> {
        self.client()
            .batch_execute("COMMIT")
            .await
            .map_err(|error| StoreError::new("committing", error))
    }

    /// Notes that the pipelined COMMIT was answered.
    pub(crate) fn committed(&mut self) {
        self.in_transaction = false;
    }

    /// Rolls back.
    pub(crate) async fn rollback(&mut self) -> Result<(), StoreError> {
        self.client()
            .batch_execute("ROLLBACK")
            .await
            .map_err(|error| StoreError::new("rolling back", error))?;
        self.in_transaction = false;
        Ok(())
    }

    /// One statement as a transaction of its own.
    pub(crate) async fn query(
        &mut self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        if self.is_plain() {
            return self.run(statement, params).await;
        }
        if self.acting.is_some() {
            // Not in one go: were the beginning refused, the statement would run on nobody's behalf.
            self.begin().await?;
            let rows = self.run(statement, params).await?;
            self.commit().await?;
            return Ok(rows);
        }
        self.in_transaction = true;
        let begin = self.begin_text();
        let begun = async {
            self.client()
                .batch_execute(&begin)
                .await
                .map_err(|error| StoreError::new("beginning a transaction", error))
        };
        let ((), rows, ()) =
            try_join3(begun, self.run(statement, params), self.commit_pipelined()).await?;
        self.in_transaction = false;
        Ok(rows)
    }

    /// Two statements without parameters, one after the other; in one round trip where nothing has to stand around them.
    pub(crate) async fn one_then_other(
        &mut self,
        one: &Statement,
        other: &Statement,
    ) -> Result<(Vec<Row>, Vec<Row>), StoreError> {
        if self.is_plain() {
            self.prepare(one).await?;
            self.prepare(other).await?;
            // Polled in this order, so sent and carried out in it.
            return try_join(self.run(one, &[]), self.run(other, &[])).await;
        }
        let rows = self.query(one, &[]).await?;
        Ok((rows, self.query(other, &[]).await?))
    }

    /// Like [`Session::query`], for statements that return no rows: how many rows they touched.
    pub(crate) async fn command(
        &mut self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<u64, StoreError> {
        if self.is_plain() {
            return self.execute(statement, params).await;
        }
        self.begin().await?;
        let touched = self.execute(statement, params).await?;
        self.commit().await?;
        Ok(touched)
    }

    /// A statement's text, another one for who is shut in: a plan is made for one role, and is made anew whenever the same prepared statement
    /// is run as another. The first run of one over ninety partitions,
    /// with its plan, took 25 to 130 ms, the later ones 1 (2026-11-21, a busy machine).
    fn text(&self, statement: &Statement) -> Cow<'static, str> {
        match self.shut_in {
            true => format!("-- for one tenant\n{}", statement.sql).into(),
            false => statement.sql.into(),
        }
    }

    /// Whether a statement needs no transaction around it: the connection is set as it should be, and on nobody's behalf.
    fn is_plain(&self) -> bool {
        self.mode == Mode::Direct && self.acting.is_none()
    }

    fn begin_text(&self) -> String {
        let acting = self.acting.as_deref().unwrap_or_default();
        match self.mode {
            Mode::Direct => format!("BEGIN;{acting}"),
            // A default for transactions comes too late for the one that sets it.
            Mode::Pooled => {
                format!("BEGIN ISOLATION LEVEL READ COMMITTED;{}{acting}", settings("LOCAL"))
            }
        }
    }

    /// The driver's client, for the few callers that need it whole.
    pub(crate) fn client(&self) -> &ClientWrapper {
        match self.client.as_ref().expect("the client leaves only in drop") {
            Connection::Shared(client) => client,
            Connection::Apart(client) => client,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_transaction
            && let Some(Connection::Shared(client)) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

fn typed<'a>(statement: &Statement, params: Params<'a>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().copied().zip(statement.types.iter().cloned()).collect()
}
