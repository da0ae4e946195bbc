//! A worker that is stopped (SIGSTOP) with requests in flight for longer than its leases last. Another one delivers what it
//! held; when it goes on, its outcomes are stale, and they say the opposite of what the rows say.

use std::time::{Duration, Instant};

use postrider::{Event, EventType, publish_many_tx};
use rustix::process::Signal;
use serde_json::json;
use tokio_postgres::Client;

use crate::kit::{Ground, Installation, Lines, Sink};

/// As short as a lease can be.
const LEASE: Duration = Duration::from_secs(12);
const SETTINGS: [(&str, &str); 3] = [
    ("POSTRIDER_WORKER_LEASE", "12s"),
    ("POSTRIDER_WORKER_ATTEMPT_TIMEOUT", "1s"),
    ("POSTRIDER_WORKER_CONNECT_TIMEOUT", "1s"),
];
const EVENTS: u64 = 200;
const TENANT: &str = "acme";
/// Requests that one endpoint may have in flight.
const IN_FLIGHT: u64 = 10;
/// How long the other worker may take for all of it after the leases have ended.
const TAKE_OVER: Duration = Duration::from_secs(30);
/// How long the worker that goes on may take to do whatever it will do.
const LATE: Duration = Duration::from_secs(5);

/// Everything about all deliveries.
const ROWS: &str = "SELECT count(*) FILTER (WHERE status = 'delivered'), md5(string_agg(d::text, ' ' ORDER BY d.id))
                    FROM postrider.webhook_deliveries d";

pub(super) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut installation = Installation::new(ground, "stopped").await?;
    let mut client = installation.client().await?;
    let mut sink = Sink::start(&installation.folder).await?;
    let endpoint = installation.add_endpoint(&sink.base, "all", TENANT, "*", &[]).await?;
    sink.know(&endpoint).await?;
    // What the first worker has in flight is refused, after a while; what comes later is accepted.
    sink.fail_first(1_000, 500).await?;
    sink.hold(Duration::from_millis(700)).await?;
    let first = installation.worker(&SETTINGS).await?;
    publish(&mut client, EVENTS).await?;
    let in_flight = sink.crowded(IN_FLIGHT, Duration::from_secs(10)).await?;
    first.signal(Signal::STOP)?;
    let stopped = Instant::now();
    sink.fail_first(0, 500).await?;
    sink.hold(Duration::ZERO).await?;

    let second = installation.worker(&SETTINGS).await?;
    publish(&mut client, IN_FLIGHT).await?; // while the sentinel stands still
    installation.drained(LEASE + TAKE_OVER).await?;
    let took_over = stopped.elapsed();
    tokio::time::sleep((LEASE + Duration::from_secs(3)).saturating_sub(took_over)).await;
    let (delivered, before) = rows(&client).await?;
    let requests = sink.state().await?.count;
    first.signal(Signal::CONT)?;
    let stood_still = stopped.elapsed();
    tokio::time::sleep(LATE).await;

    let (_, after) = rows(&client).await?;
    let late = sink.state().await?.count - requests;
    publish(&mut client, 1).await?;
    installation.drained(Duration::from_secs(10)).await?;
    let stops = [first.stop().await?.success(), second.stop().await?.success()];
    let all = i64::try_from(EVENTS + IN_FLIGHT)?;
    let unchanged = before == after;
    lines.put(
        unchanged && delivered == all && in_flight >= IN_FLIGHT && stood_still > LEASE && late == 0,
        "fleet.stopped",
        format!(
            "stopped for {:.0} s with {in_flight} requests in flight and a lease of {} s: {delivered} of {all} delivered by another \
             worker, rows unchanged when it went on: {unchanged}, requests it still sent: {late}",
            stood_still.as_secs_f32(),
            LEASE.as_secs()
        ),
        "it overwrites nothing",
        json!({ "stood_still_s": stood_still.as_secs_f64(), "lease_s": LEASE.as_secs(), "in_flight": in_flight,
                "delivered": delivered, "events": all, "rows_unchanged": unchanged, "late_requests": late,
                "taken_over_after_s": took_over.as_secs_f64(), "stopped_cleanly": stops }),
    );
    installation.end().await
}

async fn rows(client: &Client) -> anyhow::Result<(i64, String)> {
    let row = client.query_one(ROWS, &[]).await?;
    Ok((row.get(0), row.get(1)))
}

async fn publish(client: &mut Client, count: u64) -> anyhow::Result<()> {
    let event_type = EventType::parse("some.thing")?;
    let event = |_| Event::new(event_type.clone(), TENANT).data_text("{}");
    let events: Vec<Event> = (0..count).map(event).collect();
    let tx = client.transaction().await?;
    let _ = publish_many_tx(&tx, &events).await?;
    Ok(tx.commit().await?)
}
