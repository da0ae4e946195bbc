//! What a publisher is promised: best effort never harms the caller, strict leaves nothing when it fails, a closed switch
//! publishes nothing and what was there before drains, and a commit that became a rollback is noticed.

mod failures;
mod switch;

use anyhow::Context as _;
use postrider::{CommitError, EMAIL_SENT, Event, checked_commit};
use serde_json::json;
use tokio_postgres::Client;

use crate::kit::{Ground, Installation, Lines};

const TENANT: &str = "acme";
const CALLERS_TABLE: &str = "CREATE TABLE public.business (id text PRIMARY KEY)";
const CALLERS_ROW: &str = "INSERT INTO public.business (id) VALUES ($1)";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut installation = Installation::new(ground, "promises").await?;
    let observer = Observer(installation.client().await?);
    observer.0.batch_execute(CALLERS_TABLE).await?;
    failures::prove(&installation, &observer, lines).await?;
    switch::prove(&mut installation, &observer, lines).await?;
    commit(&installation, &observer, lines).await?;
    installation.end().await
}

/// A session of its own, which sees only what is committed.
struct Observer(Client);

impl Observer {
    /// Whether the caller's row `id` is committed.
    async fn has_row(&self, id: &str) -> anyhow::Result<bool> {
        self.ask("SELECT FROM public.business WHERE id = $1", id).await
    }

    /// Whether the event `id` is committed, in any of the three tables.
    async fn has_event(&self, id: &str) -> anyhow::Result<bool> {
        let ledger = "SELECT FROM postrider.webhook_event_ids WHERE id = $1";
        let body = "SELECT FROM postrider.webhook_events WHERE id = $1";
        Ok(self.ask(ledger, id).await? || self.ask(body, id).await?)
    }

    /// Whether a failed best-effort publish of `id` is recorded.
    async fn has_failure(&self, id: &str) -> anyhow::Result<bool> {
        self.ask("SELECT FROM postrider.webhook_publish_failures WHERE event_id = $1", id).await
    }

    async fn ask(&self, sql: &str, id: &str) -> anyhow::Result<bool> {
        Ok(self.0.query_opt(sql, &[&id]).await?.is_some())
    }
}

fn event(id: &str) -> Event {
    Event::new(EMAIL_SENT, TENANT).id(id).data_text(format!("{{\"id\":\"{id}\"}}"))
}

/// An error that the caller passed over has aborted the transaction; the driver's commit says nothing of it.
async fn commit(
    installation: &Installation,
    observer: &Observer,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    let mut client = installation.client().await?;
    let tx = client.transaction().await?;
    tx.execute(CALLERS_ROW, &[&"silent"]).await?;
    let _ = tx.batch_execute("SELECT 1 / 0").await;
    let driver_says_ok = tx.commit().await.is_ok();

    let tx = client.transaction().await?;
    tx.execute(CALLERS_ROW, &[&"noticed"]).await?;
    let _ = tx.batch_execute("SELECT 1 / 0").await;
    let noticed = matches!(checked_commit(tx).await, Err(CommitError::Aborted));

    let tx = client.transaction().await?;
    tx.execute(CALLERS_ROW, &[&"kept"]).await?;
    checked_commit(tx).await.context("commit a transaction without a fault")?;

    let rows = [
        observer.has_row("silent").await?,
        observer.has_row("noticed").await?,
        observer.has_row("kept").await?,
    ];
    lines.put(
        noticed && rows == [false, false, true],
        "promises.commit",
        format!(
            "checked_commit noticed the rollback: {noticed}; the driver's commit said Ok: {driver_says_ok}"
        ),
        "noticed",
        json!({ "noticed": noticed, "driver_says_ok": driver_says_ok, "rows": rows }),
    );
    Ok(())
}
