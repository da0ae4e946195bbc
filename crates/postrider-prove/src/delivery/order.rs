//! Order under kills: events of many keys, published one after the other; workers killed at random while they deliver; a fifth of
//! all requests fail. At one endpoint a failing delivery blocks its key, at the other it is skipped after three attempts. The
//! checker judges what the receiver wrote down, and must notice an overtaking that is planted into it.

use std::time::{Duration, Instant};

use anyhow::bail;
use postrider_testkit::{Journals, OrderVerdict, OrderedEvent, SinkEntry, check_order};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::kit::{Dice, Ground, Installation, Lines, Sink, Worker, note};

const KEYS: i32 = 500;
const ENDPOINTS: i64 = 2;
const PUBLISHERS: i32 = 5;
const WORKERS: usize = 3;
/// Of a thousand requests so many fail.
const FAILING: u32 = 200;
const SKIP_AFTER: i16 = 3;
const HOLD: Duration = Duration::from_millis(3);
const SCHEDULE: &str = "50ms,50ms,50ms,50ms,50ms,50ms,50ms,50ms,50ms,50ms";
const DRAIN_LIMIT: Duration = Duration::from_secs(900);
const SEED: u64 = 0x0e_de_12;

/// One event of each of a publisher's keys: those of a key are published one after the other, in transactions of their own.
const PUBLISH: &str = "SELECT count(postrider.publish_v1('acme', 'k' || k || '-' || $3::integer, 'email.received', '{\"n\":1}', NULL, NULL, 'k' || k, NULL, NULL, true)) \
     FROM generate_series($1::integer, $2::integer) k";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let rounds: i32 = ground.size(100, 20);
    let least_kills: usize = ground.size(10, 3);
    let mut installation = Installation::new(ground, "order").await?;
    let client = installation.client().await?;
    let mut sink = Sink::start(&installation.folder).await?;
    sink.fail(FAILING, 500).await?;
    sink.hold(HOLD).await?;
    let mut endpoints = Vec::new();
    for (token, policy) in [("block", "block"), ("skip", "skip:3")] {
        let order = ["--ordering", "key", "--on-failure", policy];
        let options =
            [&order[..], &["--retry-schedule", SCHEDULE, "--max-in-flight", "100"]].concat();
        let base = sink.base.clone();
        let endpoint = installation.add_endpoint(&base, token, "acme", "*", &options).await?;
        sink.know(&endpoint).await?;
        endpoints.push(endpoint);
    }
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(installation.worker(&[]).await?);
    }
    let begun = Instant::now();
    let kills = storm(&mut installation, &client, &mut workers, rounds, least_kills).await?;
    let took = begun.elapsed();
    for worker in workers {
        worker.stop().await?;
    }
    let unsigned = sink.state().await?.unsigned;
    drop(sink);
    let journals = Journals::read(&installation.folder)?;
    for endpoint in &endpoints {
        let events = expected(&client, endpoint.id, &endpoint.token).await?;
        let verdict = check_order(&events, &journals.sink);
        let planted = plant(&events, &journals.sink);
        let attempts_wrong = wrongly_skipped(&client, endpoint.id).await?;
        put(
            lines,
            &endpoint.token,
            &verdict,
            planted,
            attempts_wrong,
            kills,
            unsigned,
            took,
            rounds,
        );
    }
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
        let (from, to) = (publisher * KEYS / PUBLISHERS, (publisher + 1) * KEYS / PUBLISHERS - 1);
        publishers.spawn(async move {
            for round in 0..rounds {
                own.execute(PUBLISH, &[&from, &to, &round]).await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Ok::<_, tokio_postgres::Error>(())
        });
    }
    let (mut dice, mut kills, begun) = (Dice::new(SEED), 0, Instant::now());
    let total = ENDPOINTS * i64::from(KEYS * rounds);
    let mut next_kill = Instant::now() + Duration::from_millis(500);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        while let Some(ended) = publishers.try_join_next() {
            ended??;
        }
        let left = left(client).await?;
        if publishers.is_empty() && left == 0 {
            break;
        }
        if begun.elapsed() > DRAIN_LIMIT {
            bail!("{left} are left after {} s", DRAIN_LIMIT.as_secs());
        }
        // At random times, and in a run that is soon over by how far it is: the least that must happen does.
        let owed =
            kills < least_kills && closed(client).await? >= progress(total, kills, least_kills);
        if owed || Instant::now() >= next_kill {
            let place = usize::try_from(dice.below(3)).unwrap_or(0);
            workers.remove(place).kill().await?;
            workers.push(installation.start_worker(&[])?);
            kills += 1;
            note(format!("order: kill {kills}, {left} left"));
            next_kill = Instant::now() + Duration::from_millis(1_000 + dice.below(3_000));
        }
    }
    if kills < least_kills {
        bail!("only {kills} kills happened before everything was delivered");
    }
    Ok(kills)
}

/// How many deliveries have ended when the next of the least kills is owed: they are spread over the first three quarters.
fn progress(total: i64, kills: usize, least: usize) -> i64 {
    let share = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    total * 3 * share(kills + 1) / (4 * share(least + 1))
}

async fn closed(client: &Client) -> anyhow::Result<i64> {
    let sql = "SELECT count(*) FROM postrider.webhook_deliveries_closed";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

async fn left(client: &Client) -> anyhow::Result<i64> {
    let sql = "SELECT (SELECT count(*) FROM postrider.webhook_events_pending) + (SELECT count(*) FROM postrider.webhook_deliveries_open)";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

/// The events that an endpoint had to get, by the database.
async fn expected(
    client: &Client,
    endpoint: uuid::Uuid,
    token: &str,
) -> anyhow::Result<Vec<OrderedEvent>> {
    let sql = "SELECT e.seq, e.id, e.ordering_key, coalesce(d.status IN ('skipped', 'exhausted'), false) \
               FROM postrider.webhook_events e \
               LEFT JOIN postrider.webhook_deliveries d ON d.event_seq = e.seq AND d.endpoint_id = $1 \
               WHERE e.ordering_key IS NOT NULL";
    let rows = client.query(sql, &[&endpoint]).await?;
    let event = |row: &tokio_postgres::Row| OrderedEvent {
        token: token.to_owned(),
        key: row.get(2),
        id: row.get(1),
        seq: row.get(0),
        given_up: row.get(3),
    };
    Ok(rows.iter().map(event).collect())
}

/// How many were skipped after another number of attempts than the endpoint says.
async fn wrongly_skipped(client: &Client, endpoint: uuid::Uuid) -> anyhow::Result<i64> {
    let sql = "SELECT count(*) FROM postrider.webhook_deliveries WHERE endpoint_id = $1 AND status = 'skipped' AND attempts <> $2";
    Ok(client.query_one(sql, &[&endpoint, &SKIP_AFTER]).await?.get(0))
}

/// Exchanges two events of one key in the places that they have in the order, and says how many violations are found then.
fn plant(events: &[OrderedEvent], sink: &[SinkEntry]) -> usize {
    let mut planted = events.to_vec();
    planted.sort_by(|a, b| (&a.key, a.seq).cmp(&(&b.key, b.seq)));
    let pair =
        planted.windows(2).position(|w| w[0].key == w[1].key && !w[0].given_up && !w[1].given_up);
    let Some(at) = pair else { return 0 };
    let (first, second) = (planted[at].seq, planted[at + 1].seq);
    (planted[at].seq, planted[at + 1].seq) = (second, first);
    check_order(&planted, sink).violations.len()
}

#[expect(clippy::too_many_arguments, reason = "the figures of one line")]
fn put(
    lines: &mut Lines,
    policy: &str,
    verdict: &OrderVerdict,
    planted: usize,
    wrongly_skipped: i64,
    kills: usize,
    unsigned: u64,
    took: Duration,
    rounds: i32,
) {
    let events = u64::try_from(KEYS * rounds).unwrap_or(0);
    let all = verdict.accepted + verdict.given_up == events;
    let skips = (policy == "skip") == (verdict.given_up > 0);
    let passed =
        verdict.is_clean() && all && skips && planted > 0 && wrongly_skipped == 0 && unsigned == 0;
    let example = verdict.violations.first().or(verdict.lost.first());
    lines.put(
        passed,
        &format!("order.{policy}"),
        format!(
            "{} order violations, {} lost of {events} events of {KEYS} keys: {} accepted, {} skipped; {kills} kills, {:.0} s{}{}",
            verdict.violations.len(),
            verdict.lost.len(),
            verdict.accepted,
            verdict.given_up,
            took.as_secs_f64(),
            if planted > 0 { "" } else { "; a planted overtaking was not found" },
            example.map_or(String::new(), |line| format!("; {line}")),
        ),
        "0 order violations, 0 lost; 3 workers, a fifth of all requests fail",
        json!({
            "events": events, "keys": KEYS, "accepted": verdict.accepted, "given_up": verdict.given_up,
            "violations": verdict.violations.len(), "lost": verdict.lost.len(), "judged": verdict.judged,
            "planted_found": planted, "wrongly_skipped": wrongly_skipped, "kills": kills, "unsigned": unsigned,
            "seconds": took.as_secs_f64(),
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_kills_come_before_three_quarters_are_delivered() {
        let owed: Vec<i64> = (0..3).map(|kills| progress(20_000, kills, 3)).collect();
        assert_eq!(owed, [3_750, 7_500, 11_250]);
    }
}
