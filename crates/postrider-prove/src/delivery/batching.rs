//! Batches under kills: events go to an endpoint that takes up to 50 at once, workers are killed at random while they deliver, and the
//! receiver fails some requests as a whole, and of others some events. The receiver's own record is judged: every event was accepted, an id
//! never came with two bodies, no event stood in two batches, and each request verifies as any other webhook.
//! Then how many events a second batches bring, beside single deliveries on the same machine.

mod judge;
mod receiver;
mod throughput;

use std::time::{Duration, Instant};

use anyhow::bail;
use postrider_core::signing::Secret;
use postrider_testkit::Receiver;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use self::judge::{Judged, judge};
use crate::kit::{Dice, Ground, Installation, Lines, Worker, note};

const TENANT: &str = "acme";
const PUBLISHERS: i32 = 4;
/// Events of one transaction.
const AT_ONCE: i32 = 25;
const WORKERS: usize = 3;
const SCHEDULE: &str =
    "50ms,50ms,100ms,100ms,200ms,200ms,500ms,500ms,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s";
const DRAIN_LIMIT: Duration = Duration::from_secs(600);
const SEED: u64 = 0xba_7c_4e;

const PUBLISH: &str = "SELECT count(postrider.publish_v1($1, 'e' || $2::integer || '-' || i, 'some.thing', json_build_object('n', i), NULL, NULL, NULL, NULL, NULL, true)) \
     FROM generate_series($3::integer, $4::integer) i";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    kills(ground, lines).await?;
    throughput::prove(ground, lines).await
}

async fn kills(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let rounds: i32 = ground.size(600, 60);
    let least_kills: usize = ground.size(10, 3);
    let mut installation = Installation::new(ground, "batching").await?;
    // A kill costs what its leases last, unless somebody finds the dead worker first; that takes 3 s.
    let client = installation.client().await?;
    let sink = Receiver::start().await;
    sink.behave_by_default(receiver::behaviour());
    let base = sink.url("");
    let options =
        ["--batch-max-events", "50", "--batch-max-wait", "100ms", "--retry-schedule", SCHEDULE];
    let endpoint = installation
        .add_endpoint(base.trim_end_matches('/'), "batched", TENANT, "*", &options)
        .await?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(installation.worker(&[]).await?);
    }
    let begun = Instant::now();
    let killed = storm(&mut installation, &client, &mut workers, rounds, least_kills).await?;
    let took = begun.elapsed();
    for worker in workers {
        worker.stop().await?;
    }
    let events = i64::from(PUBLISHERS * AT_ONCE * rounds);
    let requests = sink.received();
    let secret = Secret::parse(&endpoint.secret)?;
    let ids = published(&client).await?;
    let judged = judge(&requests, &ids, &secret);
    let planted = judge(&judge::planted(&requests), &ids, &secret);
    let other: i64 = count(
        &client,
        "SELECT count(*) FROM postrider.webhook_deliveries WHERE status <> 'delivered'",
    )
    .await?;
    let left: i64 =
        count(&client, "SELECT count(*) FROM postrider.webhook_delivery_batches").await?;
    put(lines, &judged, &planted, Figures { events, killed, took, other, left });
    drop(client);
    installation.end().await
}

/// Publishes everything while workers are killed and replaced, until nothing is left; how many were killed.
async fn storm(
    installation: &mut Installation,
    client: &Client,
    workers: &mut Vec<Worker>,
    rounds: i32,
    least_kills: usize,
) -> anyhow::Result<usize> {
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let own = installation.client().await?;
        publishers.spawn(async move {
            for round in 0..rounds {
                let (from, to) = (round * AT_ONCE, (round + 1) * AT_ONCE - 1);
                own.execute(PUBLISH, &[&TENANT, &publisher, &from, &to]).await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, tokio_postgres::Error>(())
        });
    }
    let (mut dice, mut kills, begun) = (Dice::new(SEED), 0, Instant::now());
    let mut next_kill = Instant::now() + Duration::from_millis(500);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        while let Some(ended) = publishers.try_join_next() {
            ended??;
        }
        let left = count(client, LEFT).await?;
        if publishers.is_empty() && left == 0 {
            break;
        }
        if begun.elapsed() > DRAIN_LIMIT {
            bail!("{left} are left after {} s", DRAIN_LIMIT.as_secs());
        }
        if Instant::now() >= next_kill && left > 0 {
            let place = usize::try_from(dice.below(3)).unwrap_or(0);
            workers.remove(place).kill().await?;
            workers.push(installation.start_worker(&[])?);
            kills += 1;
            note(format!("batching: kill {kills}, {left} left"));
            next_kill = Instant::now() + Duration::from_millis(700 + dice.below(2_000));
        }
    }
    if kills < least_kills {
        bail!("only {kills} kills happened before everything was delivered");
    }
    Ok(kills)
}

const LEFT: &str = "SELECT (SELECT count(*) FROM postrider.webhook_events_pending) + (SELECT count(*) FROM postrider.webhook_deliveries_open)";

async fn count(client: &Client, sql: &str) -> anyhow::Result<i64> {
    Ok(client.query_one(sql, &[]).await?.get(0))
}

async fn published(client: &Client) -> anyhow::Result<Vec<String>> {
    let rows = client
        .query("SELECT id FROM postrider.webhook_events WHERE type = 'some.thing'", &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What the run itself says.
struct Figures {
    events: i64,
    killed: usize,
    took: Duration,
    /// Deliveries that ended otherwise than delivered.
    other: i64,
    /// Batches that are still stored.
    left: i64,
}

fn put(lines: &mut Lines, judged: &Judged, planted: &Judged, figures: Figures) {
    let Figures { events, killed, took, other, left } = figures;
    let finds =
        planted.changed.len() > judged.changed.len() && planted.moved.len() > judged.moved.len();
    let passed = judged.is_clean()
        && other == 0
        && left == 0
        && finds
        && i64::try_from(judged.events).is_ok_and(|seen| seen == events)
        && judged.repeated > 0
        && judged.split > 0;
    lines.put(
        passed,
        "batching.kills",
        format!(
            "{} lost of {events} events; {} requests of {} batches ({} repeated), {} ids with another body, {} events in two batches, {} unsigned; \
             {} went by themselves after a per-item answer; {killed} kills, {:.0} s{}{}",
            judged.lost.len(),
            judged.requests,
            judged.batches,
            judged.repeated,
            judged.changed.len(),
            judged.moved.len(),
            judged.unsigned,
            judged.split,
            took.as_secs_f64(),
            if finds { "" } else { "; a planted change was not found" },
            judged.example().map_or(String::new(), |line| format!("; {line}")),
        ),
        "0 lost; an id has one body, an event one batch; 3 workers killed at random, failures of both kinds",
        json!({
            "events": events, "requests": judged.requests, "batches": judged.batches, "repeated": judged.repeated, "lost": judged.lost.len(),
            "changed": judged.changed.len(), "moved": judged.moved.len(), "unsigned": judged.unsigned, "split": judged.split,
            "not_delivered": other, "batches_left": left, "kills": killed, "seconds": took.as_secs_f64(),
        }),
    );
}
