//! Receivers that refuse connections for a while, with much waiting: what waits burns no attempt, and when they are back they are
//! never over their cap or their rate, judged by what they themselves counted, and get everything. One of them asked for order.
//! Back, they are slow at first, so that the cap is what limits; then they are fast, and the rate does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use postrider_testkit::{Behaviour, Receiver};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::rate_limit::most_in_a_second;
use crate::kit::{Ground, Installation, Lines, note};

const TENANT: &str = "acme";
const CAP: u64 = 10;
const RATE: usize = 2_000;
/// How long the receivers are slow when they are back, and how slow.
const SLOW_FOR: Duration = Duration::from_secs(6);
const SLOW: Duration = Duration::from_millis(40);
/// Attempts that an endpoint may have burnt before and while its circuit was open.
const MOST_TRIED: i64 = 100;
const KEYS: i32 = 100;
const DRAIN_LIMIT: Duration = Duration::from_secs(600);

/// Events of one endpoint, by keys that take turns.
const PUBLISH: &str = "SELECT count(postrider.publish_v1('acme', $1 || '-' || k || '-' || i, 'for.' || $1, '{\"n\":1}', NULL, NULL, 'k' || k, NULL, NULL, true)) \
     FROM generate_series(1, $2::integer) i, generate_series(1, $3::integer) k";

/// An endpoint of the proof.
struct Side {
    name: &'static str,
    address: SocketAddr,
    events: i64,
    ordered: bool,
    waiting: i64,
    tried: i64,
}

/// What its receiver saw.
struct Seen {
    most_open: u64,
    most_in_a_second: usize,
    requests: u64,
    overtaken: usize,
    first_after: Duration,
    delivered: i64,
}

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let outage = ground.size(Duration::from_secs(60), Duration::from_secs(6));
    let mut installation = Installation::new(ground, "outage").await?;
    if ground.is_quick() {
        installation.set("POSTRIDER_HEALTH_PROBE_AFTER", "1s");
    }
    let mut sides = Vec::new();
    for (name, ordered, rounds) in
        [("plain", false, ground.size(900, 45)), ("ordered", true, ground.size(100, 5))]
    {
        // An address that was free a moment ago refuses connections until somebody listens there again.
        let address = Receiver::start().await.address();
        let schedule = ["1s"; 10].join(",");
        let options = ["--retry-schedule", &schedule, "--max-in-flight", "10"];
        let options = [&options[..], &["--rate-limit", "2000"]].concat();
        let order = if ordered { &["--ordering", "key"][..] } else { &[] };
        let (base, types) = (format!("http://{address}"), format!("for.{name}"));
        let options = [&options[..], order].concat();
        installation.add_endpoint(&base, name, TENANT, &types, &options).await?;
        let events = i64::from(rounds * KEYS);
        sides.push(Side { name, address, events, ordered, waiting: 0, tried: 0 });
    }
    let worker = installation.worker(&[]).await?;
    let client = installation.client().await?;
    let begun = Instant::now();
    for side in &sides {
        let rounds = i32::try_from(side.events)? / KEYS;
        client.query_one(PUBLISH, &[&side.name, &rounds, &KEYS]).await?;
    }
    tokio::time::sleep(outage.saturating_sub(begun.elapsed())).await;
    for side in &mut sides {
        (side.waiting, side.tried) = waiting(&client, side.name).await?;
    }
    let mut receivers = Vec::new();
    for side in &sides {
        let receiver = Receiver::options().bind(side.address).start().await;
        receiver.behave_by_default(Behaviour::delay(SLOW));
        receivers.push(receiver);
    }
    let back = Instant::now();
    note(format!("outage: {} wait; the receivers are back", waits(&sides)));
    let slow_for = ground.size(SLOW_FOR, SLOW_FOR / 2);
    let came = async |count| {
        while receivers.iter().any(|receiver| receiver.count() < count) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // From the time when both have got something: the circuits are closed by then, or soon.
    let _ = tokio::time::timeout(DRAIN_LIMIT / 4, came(50)).await;
    tokio::time::sleep(slow_for).await;
    receivers.iter().for_each(|receiver| receiver.behave_by_default(Behaviour::status(200)));
    installation.drained(DRAIN_LIMIT).await?;
    let drained = back.elapsed();
    for (side, receiver) in sides.iter().zip(&receivers) {
        let seen = seen(&client, side, receiver, back).await?;
        put(lines, side, &seen, outage, drained, ground.is_quick());
    }
    worker.stop().await?;
    installation.end().await
}

/// How many deliveries wait, and how many of them were tried.
async fn waiting(client: &Client, name: &str) -> anyhow::Result<(i64, i64)> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE d.attempts > 0) FROM postrider.webhook_deliveries_open d \
               JOIN postrider.webhook_endpoints e ON e.id = d.endpoint_id WHERE e.event_types = ARRAY['for.' || $1]";
    let row = client.query_one(sql, &[&name]).await?;
    Ok((row.get(0), row.get(1)))
}

fn waits(sides: &[Side]) -> i64 {
    sides.iter().map(|side| side.waiting).sum()
}

async fn seen(
    client: &Client,
    side: &Side,
    receiver: &Receiver,
    back: Instant,
) -> anyhow::Result<Seen> {
    let sql = "SELECT count(*) FROM postrider.webhook_deliveries_closed d \
               JOIN postrider.webhook_endpoints e ON e.id = d.endpoint_id WHERE e.event_types = ARRAY['for.' || $1] AND d.status = 'delivered'";
    let delivered = client.query_one(sql, &[&side.name]).await?.get(0);
    let received = receiver.received();
    let mut arrived: Vec<Instant> = received.iter().map(|request| request.at).collect();
    Ok(Seen {
        most_in_a_second: most_in_a_second(&mut arrived),
        most_open: receiver.most_open(),
        requests: receiver.count(),
        overtaken: overtaken(received.iter().map(postrider_testkit::Received::id)),
        first_after: arrived.first().map_or(Duration::MAX, |first| *first - back),
        delivered,
    })
}

/// How many came before an event that was published before them under the same key. Ids end in `-<key>-<place>`.
fn overtaken<'a>(ids: impl Iterator<Item = &'a str>) -> usize {
    let mut last: HashMap<&str, u32> = HashMap::new();
    let mut overtaken = 0;
    for id in ids {
        let Some((key, place)) = id.rsplit_once('-') else { continue };
        let place: u32 = place.parse().unwrap_or(0);
        let before = last.entry(key).or_default();
        overtaken += usize::from(place != *before + 1);
        *before = place;
    }
    overtaken
}

fn put(
    lines: &mut Lines,
    side: &Side,
    seen: &Seen,
    outage: Duration,
    drained: Duration,
    quick: bool,
) {
    let lost = side.events - seen.delivered;
    let in_order = !side.ordered || seen.overtaken == 0;
    // Where it was not limited, nothing was shown. A small number of events is soon through.
    let loaded = quick || side.ordered || seen.most_in_a_second >= RATE * 9 / 10;
    let passed = seen.most_open == CAP
        && seen.most_in_a_second <= RATE
        && loaded
        && lost == 0
        && in_order
        && side.waiting == side.events
        && side.tried <= MOST_TRIED;
    let order: Value = if side.ordered { json!(seen.overtaken) } else { Value::Null };
    lines.put(
        passed,
        &format!("outage.{}", side.name),
        format!(
            "{:.0} s without connections, {} waiting, {} of them tried; back, the first came after {:.1} s, all were there after {:.0} s: \
             at most {} in flight and {} in any second, {lost} lost{}",
            outage.as_secs_f64(),
            side.waiting,
            side.tried,
            seen.first_after.as_secs_f64(),
            drained.as_secs_f64(),
            seen.most_open,
            seen.most_in_a_second,
            if side.ordered { format!(", {} out of order", seen.overtaken) } else { String::new() },
        ),
        format!(
            "cap {CAP} reached and never passed, never over {RATE} in any second, no attempt burnt by waiting, drained{}",
            if side.ordered { " in order" } else { "" }
        ),
        json!({ "outage_s": outage.as_secs_f64(), "events": side.events, "waiting": side.waiting, "tried": side.tried,
                "delivered": seen.delivered, "requests": seen.requests, "most_in_flight": seen.most_open,
                "most_in_a_second": seen.most_in_a_second, "first_after_s": seen.first_after.as_secs_f64(),
                "drained_after_s": drained.as_secs_f64(), "out_of_order": order }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_overtakes_is_noticed() {
        assert_eq!(overtaken(["o-1-1", "o-2-1", "o-1-2", "o-2-2"].into_iter()), 0);
        assert_eq!(overtaken(["o-1-1", "o-1-3", "o-1-2"].into_iter()), 2);
    }
}
