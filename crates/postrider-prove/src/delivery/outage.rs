//! A receiver that refuses connections for a while, with much waiting: what waits burns no attempt, and when the receiver is
//! back it is never over its cap or its rate, judged by what the receiver itself counted, and gets everything.

use std::time::{Duration, Instant};

use postrider_testkit::Receiver;
use serde_json::json;

use super::rate_limit::{most_in_a_second, publish};
use crate::kit::{Ground, Installation, Lines, note};

const TENANT: &str = "acme";
const CAP: u64 = 10;
const RATE: usize = 2_000;
/// What a second's count may be above the rate: the moment of arrival is the receiver's, not the sender's.
const SLACK: usize = RATE / 20;

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let (outage, events) =
        (ground.size(Duration::from_secs(60), Duration::from_secs(6)), ground.size(100_000, 5_000));
    let mut installation = Installation::new(ground, "outage").await?;
    if ground.is_quick() {
        installation.set("POSTRIDER_HEALTH_PROBE_AFTER", "1s");
    }
    // An address that was free a moment ago refuses connections until somebody listens there again.
    let address = Receiver::start().await.address();
    let base = format!("http://{address}");
    let schedule = ["1s"; 10].join(",");
    let options = ["--retry-schedule", &schedule, "--max-in-flight", "10", "--rate-limit", "2000"];
    installation.add_endpoint(&base, "down", TENANT, "*", &options).await?;
    let worker = installation.worker(&[]).await?;
    let client = installation.client().await?;
    let begun = Instant::now();
    publish(&client, TENANT, events).await?;
    tokio::time::sleep(outage.saturating_sub(begun.elapsed())).await;
    let sql = "SELECT count(*), count(*) FILTER (WHERE attempts = 0) FROM postrider.webhook_deliveries_open";
    let row = client.query_one(sql, &[]).await?;
    let (waiting, untried): (i64, i64) = (row.get(0), row.get(1));
    let receiver = Receiver::options().bind(address).start().await;
    let back = Instant::now();
    note(format!("{waiting} wait, {untried} of them untried; the receiver is back"));
    installation.drained(Duration::from_secs(600)).await?;
    let drained = back.elapsed();
    let delivered: i64 = client
        .query_one(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'",
            &[],
        )
        .await?
        .get(0);
    let mut arrived: Vec<Instant> = receiver.received().iter().map(|r| r.at).collect();
    let most = most_in_a_second(&mut arrived);
    let (most_open, count) = (receiver.most_open(), receiver.count());
    let silent = arrived.first().map_or(drained, |first| *first - back);
    let lost = i64::from(events) - delivered;
    let passed = most_open <= CAP
        && most <= RATE + SLACK
        && lost == 0
        && waiting == i64::from(events)
        && waiting - untried <= 100;
    lines.put(
        passed,
        "outage",
        format!(
            "{:.0} s without connections, {waiting} waiting, {} of them tried; back, the first came after {:.1} s, all were there after {:.0} s: \
             at most {most_open} in flight and {most} in a second, {lost} lost",
            outage.as_secs_f64(),
            waiting - untried,
            silent.as_secs_f64(),
            drained.as_secs_f64()
        ),
        format!("cap {CAP}, rate {RATE}/s (+5 % at arrival), no attempt burnt by waiting, drained"),
        json!({ "outage_s": outage.as_secs_f64(), "events": events, "waiting": waiting, "untried": untried, "delivered": delivered,
                "requests": count, "most_in_flight": most_open, "most_in_a_second": most, "first_after_s": silent.as_secs_f64(),
                "drained_after_s": drained.as_secs_f64() }),
    );
    worker.stop().await?;
    installation.end().await
}
