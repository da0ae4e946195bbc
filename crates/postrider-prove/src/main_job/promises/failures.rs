//! Publishes that fail: by a NUL byte, by a missing table, by a twin that another session holds uncommitted.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use postrider::{BestEffort, EMAIL_SENT, Event, Outbox, PublishError, checked_commit, publish_tx};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{CALLERS_ROW, Observer, TENANT, event};
use crate::kit::{Installation, Lines};

/// A best-effort publish may cost the caller this much, waiting for a lock included.
const PATIENCE: Duration = Duration::from_millis(500);
const HIDE: &str = "ALTER TABLE postrider.webhook_events RENAME TO hidden";
const SHOW: &str = "ALTER TABLE postrider.hidden RENAME TO webhook_events";

/// Why a publish fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    NulByte,
    MissingTable,
    UncommittedTwin,
}

const CAUSES: [Cause; 3] = [Cause::NulByte, Cause::MissingTable, Cause::UncommittedTwin];

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::NulByte => "nul-byte",
            Self::MissingTable => "missing-table",
            Self::UncommittedTwin => "uncommitted-twin",
        }
    }

    fn event(self, id: &str) -> Event {
        match self {
            // No text of PostgreSQL can hold it.
            Self::NulByte => Event::new(EMAIL_SENT, TENANT).id(id).labels(["a\0b"]).data_text("{}"),
            Self::MissingTable | Self::UncommittedTwin => event(id),
        }
    }
}

/// One publish that failed, and what was left of it.
struct Case {
    name: String,
    failed: bool,
    row: bool,
    event: bool,
    recorded: bool,
    took: Duration,
}

pub(super) async fn prove(
    installation: &Installation,
    observer: &Observer,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    let mut best_effort = Vec::new();
    let mut strict = Vec::new();
    for cause in CAUSES {
        best_effort.push(best_effort_from_rust(installation, observer, cause).await?);
        // A NUL byte cannot even be sent as a text of SQL; there the database refuses the caller's own statement.
        if cause != Cause::NulByte {
            best_effort.push(best_effort_by_sql(installation, observer, cause).await?);
        }
        strict.push(strict_from_rust(installation, observer, cause).await?);
    }
    let slowest = best_effort.iter().map(|case| case.took).max().unwrap_or_default();
    let good = best_effort
        .iter()
        .filter(|case| case.failed && case.row && !case.event && case.recorded)
        .count();
    lines.put(
        good == best_effort.len() && slowest <= PATIENCE,
        "promises.best-effort",
        format!(
            "{good} of {} failing publishes left the caller's row committed and no event; the slowest took {} ms",
            best_effort.len(),
            slowest.as_millis()
        ),
        "all; NUL byte, missing table, uncommitted twin, from Rust and SQL",
        figures(&best_effort),
    );
    let good = strict.iter().filter(|case| case.failed && !case.row && !case.event).count();
    lines.put(
        good == strict.len(),
        "promises.strict",
        format!("{good} of {} failing publishes left neither row nor event", strict.len()),
        "all; NUL byte, missing table, uncommitted twin",
        figures(&strict),
    );
    Ok(())
}

fn figures(cases: &[Case]) -> Value {
    let case = |case: &Case| {
        json!({ "case": case.name, "failed": case.failed, "callers_row": case.row, "event": case.event,
                "recorded": case.recorded, "ms": case.took.as_millis() })
    };
    cases.iter().map(case).collect()
}

async fn best_effort_from_rust(
    installation: &Installation,
    observer: &Observer,
    cause: Cause,
) -> anyhow::Result<Case> {
    let id = format!("best-effort-rust-{}", cause.name());
    let staged = Staged::begin(installation, observer, cause, &id).await?;
    let outbox = Outbox::new();
    let mut client = installation.client().await?;
    let mut tx = client.transaction().await?;
    tx.execute(CALLERS_ROW, &[&id]).await?;
    let begun = Instant::now();
    let answer = outbox.publish_best_effort_tx(&mut tx, &cause.event(&id)).await;
    let took = begun.elapsed();
    checked_commit(tx).await.context("commit after a best-effort publish")?;
    staged.end(observer).await?;
    let failed = matches!(answer, BestEffort::Failed(_));
    // Without a pool of its own the library counts the failure.
    let recorded = outbox.failed_best_efforts() == 1;
    case(observer, id, failed, recorded, took).await
}

async fn best_effort_by_sql(
    installation: &Installation,
    observer: &Observer,
    cause: Cause,
) -> anyhow::Result<Case> {
    let id = format!("best-effort-sql-{}", cause.name());
    let staged = Staged::begin(installation, observer, cause, &id).await?;
    let mut client = installation.client().await?;
    let tx = client.transaction().await?;
    tx.execute(CALLERS_ROW, &[&id]).await?;
    let begun = Instant::now();
    let sql = "SELECT outcome FROM postrider.publish_best_effort(type => 'email.sent', tenant => $1, id => $2)";
    let answer: String = tx.query_one(sql, &[&TENANT, &id]).await?.get(0);
    let took = begun.elapsed();
    checked_commit(tx).await.context("commit after a best-effort publish")?;
    staged.end(observer).await?;
    let recorded = observer.has_failure(&id).await?;
    case(observer, id, answer == "failed", recorded, took).await
}

async fn strict_from_rust(
    installation: &Installation,
    observer: &Observer,
    cause: Cause,
) -> anyhow::Result<Case> {
    let id = format!("strict-rust-{}", cause.name());
    let staged = Staged::begin(installation, observer, cause, &id).await?;
    let mut client = installation.client().await?;
    client.batch_execute("SET lock_timeout = '200ms'").await?;
    let begun = Instant::now();
    // As a service is written: an error leaves the function, and the transaction is dropped on the way.
    let work = async {
        let tx = client.transaction().await?;
        tx.execute(CALLERS_ROW, &[&id]).await?;
        let event = cause.event(&id);
        let published = publish_tx(&tx, &event).await?;
        checked_commit(tx).await?;
        anyhow::Ok(published)
    };
    let failed = work.await.is_err_and(|error| error.is::<PublishError>());
    let took = begun.elapsed();
    client.batch_execute("SELECT 1").await.context("go on after a failed publish")?;
    staged.end(observer).await?;
    case(observer, id, failed, false, took).await
}

async fn case(
    observer: &Observer,
    id: String,
    failed: bool,
    recorded: bool,
    took: Duration,
) -> anyhow::Result<Case> {
    let (row, event) = (observer.has_row(&id).await?, observer.has_event(&id).await?);
    Ok(Case { name: id, failed, row, event, recorded, took })
}

/// What makes a publish fail, for as long as it is to.
struct Staged {
    cause: Cause,
    /// Holds the twin in an open transaction.
    twin: Option<Client>,
}

impl Staged {
    async fn begin(
        installation: &Installation,
        observer: &Observer,
        cause: Cause,
        id: &str,
    ) -> anyhow::Result<Self> {
        let mut twin = None;
        match cause {
            Cause::NulByte => {}
            Cause::MissingTable => observer.0.batch_execute(HIDE).await?,
            Cause::UncommittedTwin => {
                let client = installation.client().await?;
                client.batch_execute("BEGIN").await?;
                let sql = "SELECT outcome FROM postrider.publish(type => 'email.sent', tenant => $1, id => $2)";
                client.query_one(sql, &[&TENANT, &id]).await?;
                twin = Some(client);
            }
        }
        Ok(Self { cause, twin })
    }

    async fn end(self, observer: &Observer) -> anyhow::Result<()> {
        if self.cause == Cause::MissingTable {
            observer.0.batch_execute(SHOW).await?;
        }
        if let Some(twin) = self.twin {
            twin.batch_execute("ROLLBACK").await?;
        }
        Ok(())
    }
}
