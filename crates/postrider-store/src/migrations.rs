//! The schema: numbered SQL files in `migrations/`, embedded here, forward only.
//!
//! Applied by refinery under an advisory lock, so concurrent starts wait for each other. The history table is
//! `postrider.schema_history`; people with a migration tool of their own take [`print()`]'s text, which fills it too.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tracing::info;

use crate::StoreError;

mod embedded {
    refinery::embed_migrations!("../../migrations");
}

const DOING: &str = "migrating the schema";
const HISTORY: &str = "postrider.schema_history";
/// The advisory lock that migrations hold: `(class, 0)`.
const LOCK: &str = "SELECT pg_advisory_lock(1886352247, 0)";
/// Who waits for a table keeps everybody off it who comes later, so a migration waits this long at most, and comes back after a pause.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '1s'";
/// The first pause; it grows with each that did not help.
const PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(10);
/// How long it is tried in all.
const PATIENCE: Duration = Duration::from_secs(300);

/// How the database's schema stands to this binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// There is no Postrider schema.
    Missing,
    /// The schema is older: `postrider migrate up` brings it here.
    Behind { version: i32, wanted: i32 },
    /// Exactly what this binary was built for.
    Current { version: i32 },
    /// The schema is newer than this binary; it must not run.
    Newer { version: i32, wanted: i32 },
}

/// One migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    pub version: i32,
    pub name: String,
    /// When it was applied (RFC 3339), or `None`.
    pub applied_on: Option<String>,
}

/// The version this binary needs.
#[must_use]
pub fn wanted() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// Brings the schema to this binary's version; waits for another process that is doing so. Returns the names applied.
///
/// # Errors
/// When a migration fails (nothing of it is kept), an applied one differs from ours, or the schema is newer than we are.
pub async fn up(client: &mut Client) -> Result<Vec<String>, StoreError> {
    let pg = |error| StoreError::new(DOING, error);
    client.batch_execute("SET lock_timeout = '5min'").await.map_err(pg)?;
    client.batch_execute(LOCK).await.map_err(pg)?;
    let applied = async {
        if let SchemaState::Newer { version, wanted } = state(client).await? {
            return Err(StoreError::other(DOING, format!("the schema is version {version}, this binary knows only {wanted}: use a newer binary")));
        }
        client.batch_execute("CREATE SCHEMA IF NOT EXISTS postrider").await.map_err(pg)?;
        let mut runner = embedded::migrations::runner();
        runner.set_migration_table_name(HISTORY);
        client.batch_execute(LOCK_TIMEOUT).await.map_err(pg)?;
        run(&runner, client).await
    }
    .await;
    // The lock goes with the session too, so a failed unlock loses nothing; why the migration failed is worth more.
    let unlocked =
        client.batch_execute("SELECT pg_advisory_unlock(1886352247, 0); RESET lock_timeout").await;
    let applied = applied?;
    unlocked.map_err(pg)?;
    Ok(applied)
}

/// Applies what is missing, each migration in its own transaction. One that finds a table in use is tried again: what waited behind it
/// goes on meanwhile.
async fn run(runner: &refinery::Runner, client: &mut Client) -> Result<Vec<String>, StoreError> {
    let (begun, mut pause, mut applied) = (Instant::now(), PAUSE, Vec::new());
    loop {
        let (error, done) = match runner.run_async(client).await {
            Ok(report) => (None, applied_by(&report)),
            Err(error) => {
                let done = error.report().map(applied_by).unwrap_or_default();
                (Some(error), done)
            }
        };
        applied.extend(done);
        let Some(error) = error else { return Ok(applied) };
        if !is_in_use(&error) || begun.elapsed() > PATIENCE {
            return Err(StoreError::other(DOING, chain(&error)));
        }
        info!(wait_ms = pause.as_millis(), "a table is in use; the migration goes on in a moment");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MOST_PAUSE);
    }
}

fn applied_by(report: &refinery::Report) -> Vec<String> {
    report.applied_migrations().iter().map(ToString::to_string).collect()
}

/// Whether a migration failed because others hold what it locks: 55P03, or 40P01 where it was in their way too.
fn is_in_use(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<tokio_postgres::Error>()?.code())
        .any(|code| [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

/// How the database's schema stands to this binary.
///
/// # Errors
/// When the database cannot be asked.
pub async fn state(client: &Client) -> Result<SchemaState, StoreError> {
    let wanted = wanted();
    Ok(
        match list(client).await?.iter().filter(|m| m.applied_on.is_some()).map(|m| m.version).max()
        {
            None => SchemaState::Missing,
            Some(version) if version < wanted => SchemaState::Behind { version, wanted },
            Some(version) if version > wanted => SchemaState::Newer { version, wanted },
            Some(version) => SchemaState::Current { version },
        },
    )
}

/// Every migration this binary or the database knows, in order.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(client: &Client) -> Result<Vec<Migration>, StoreError> {
    const DOING: &str = "reading the schema history";
    let pg = |error| StoreError::new(DOING, error);
    // Unnamed statements: what is asked here is asked through a transaction pooler too.
    let exists = client
        .query_typed("SELECT to_regclass('postrider.schema_history') IS NOT NULL", &[])
        .await
        .map_err(pg)?;
    let mut all: Vec<Migration> = embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|m| Migration { version: m.version(), name: m.name().to_owned(), applied_on: None })
        .collect();
    if exists.first().is_some_and(|row| row.get(0)) {
        let rows = client
            .query_typed(
                "SELECT version, name, applied_on FROM postrider.schema_history ORDER BY version",
                &[],
            )
            .await
            .map_err(pg)?;
        for row in rows {
            let (version, name, applied_on) =
                (row.get::<_, i32>(0), row.get::<_, String>(1), row.get::<_, Option<String>>(2));
            match all.iter_mut().find(|m| m.version == version) {
                Some(known) => known.applied_on = applied_on,
                None => all.push(Migration { version, name, applied_on }),
            }
        }
    }
    all.sort_by_key(|m| m.version);
    Ok(all)
}

/// All migrations as one SQL script that also fills the history, for people who run their own migration tool.
#[must_use]
pub fn print() -> String {
    let mut script = String::from(
        "CREATE SCHEMA IF NOT EXISTS postrider;\n\
         CREATE TABLE IF NOT EXISTS postrider.schema_history (version int4 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255));\n",
    );
    let mut migrations = embedded::migrations::runner().get_migrations().clone();
    migrations.sort_by_key(refinery::Migration::version);
    for migration in &migrations {
        let (version, name) = (migration.version(), migration.name());
        let _ = write!(
            script,
            "\n-- V{version}__{name}\n{}\nINSERT INTO postrider.schema_history (version, name, applied_on, checksum) VALUES \
             ({version}, '{name}', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '{}');\n",
            migration.sql().unwrap_or_default(),
            migration.checksum()
        );
    }
    script
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
