//! While a backlog keeps the worker awake, nobody notifies.

use std::time::Duration;

use postrider::{Event, EventType, publish_many_tx};
use serde_json::json;
use tokio_postgres::Client;

use super::{CHANNEL, FALLBACK, TENANT, publish};
use crate::kit::{Ground, Installation, Lines, Listener, Sink, note};

/// Events published with one statement.
const BATCH: u64 = 1_000;
const PENDING: &str = "SELECT count(*) FROM postrider.webhook_events_pending";
const TRIES: u32 = 4;

pub(super) async fn prove(
    ground: &Ground,
    installation: &mut Installation,
    sink: &Sink,
    client: &Client,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    // More deliveries for each event, so that the backlog lasts.
    for token in ["b", "c", "d"] {
        installation.add_endpoint(&sink.base, token, TENANT, "*", &[]).await?;
    }
    client
        .batch_execute("DROP TRIGGER prove_note_claim ON postrider.webhook_events_pending")
        .await?;
    let events = ground.size(10_000, 1_000);
    let mut backlog = ground.size(150_000, 20_000);
    for last in (0..TRIES).rev() {
        fill(installation, backlog).await?;
        let worker = installation.worker(&[FALLBACK]).await?;
        wait_until_at_work(client).await?;
        let listener = Listener::start(installation.server.url(), CHANNEL).await?;
        let before: i64 = client.query_one(PENDING, &[]).await?.get(0);
        publish(installation, 16, 0, events).await?;
        let after: i64 = client.query_one(PENDING, &[]).await?.get(0);
        let heard = listener.heard().await?;
        worker.stop().await?;
        // Had the queue been empty once, no more than the new events could be in it now.
        let lasted = after > i64::try_from(events)?;
        if !lasted && last > 0 {
            note(format!(
                "a backlog of {backlog} did not last for {events} publishes; doubling it"
            ));
            backlog *= 2;
            continue;
        }
        lines.put(
            lasted && heard == 0,
            "wake-up.awake",
            format!("{heard} notifications for {events} publishes while {before} … {after} events waited"),
            "none, while a backlog keeps the worker awake",
            json!({ "notifications": heard, "publishes": events, "pending_before": before, "pending_after": after }),
        );
        break;
    }
    Ok(())
}

/// Publishes a backlog while no worker runs; it takes part in no wake-up.
async fn fill(installation: &Installation, backlog: u64) -> anyhow::Result<()> {
    let mut client = installation.client().await?;
    client.batch_execute("SET postrider.wakeup = off").await?;
    let event_type = EventType::parse("back.log")?;
    for batch in 0..backlog / BATCH {
        let event = |number: u64| {
            Event::new(event_type.clone(), TENANT).data_text(format!("[{batch},{number}]"))
        };
        let events: Vec<Event> = (0..BATCH).map(event).collect();
        let tx = client.transaction().await?;
        let _ = publish_many_tx(&tx, &events).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Waits until the worker has begun to take from the backlog.
async fn wait_until_at_work(client: &Client) -> anyhow::Result<()> {
    let full: i64 = client.query_one(PENDING, &[]).await?.get(0);
    for _ in 0..3_000 {
        let now: i64 = client.query_one(PENDING, &[]).await?.get(0);
        if now < full {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("the worker takes nothing from its backlog")
}
