//! One endpoint's rate over three workers: what arrives within half a minute, counted by the receiver.

use std::time::{Duration, Instant};

use postrider_testkit::Receiver;
use serde_json::json;
use tokio_postgres::Client;

use crate::kit::{Ground, Installation, Lines};

const TENANT: &str = "acme";
const RATE: f64 = 100.0;
const WORKERS: usize = 3;
/// Until every worker knows of the others and of the endpoint.
const SETTLE: Duration = Duration::from_secs(5);

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let window = ground.size(Duration::from_secs(30), Duration::from_secs(10));
    let mut installation = Installation::new(ground, "rate-limit").await?;
    let receiver = Receiver::start().await;
    let base = receiver.url("");
    let options = ["--rate-limit", "100"];
    installation.add_endpoint(base.trim_end_matches('/'), "paced", TENANT, "*", &options).await?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(installation.worker(&[]).await?);
    }
    let client = installation.client().await?;
    publish(&client, TENANT, 10_000).await?;
    tokio::time::sleep(SETTLE).await;
    let before = receiver.count();
    let begun = Instant::now();
    tokio::time::sleep(window).await;
    let (came, took) = (receiver.count() - before, begun.elapsed());
    let rate = f64::from(u32::try_from(came)?) / took.as_secs_f64();
    lines.put(
        (95.0..=105.0).contains(&rate),
        "rate-limit",
        format!("{rate:.1}/s over {:.0} s from {WORKERS} workers", took.as_secs_f64()),
        "95 to 105 a second, where 100 are allowed",
        json!({ "allowed": RATE, "rate": rate, "requests": came, "seconds": took.as_secs_f64(), "workers": WORKERS }),
    );
    for worker in workers {
        worker.kill().await?;
    }
    installation.end().await
}

/// Publishes so many small events.
pub(super) async fn publish(client: &Client, tenant: &str, events: i32) -> anyhow::Result<()> {
    let sql = "SELECT count(postrider.publish_v1($1, 'evt' || i, 'some.thing', '{\"n\":1}', NULL, NULL, NULL, NULL, NULL, true)) FROM generate_series(1, $2) i";
    client.query_one(sql, &[&tenant, &events]).await?;
    Ok(())
}

/// The most that came within any one second.
pub(super) fn most_in_a_second(arrived: &mut [Instant]) -> usize {
    arrived.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (index, at) in arrived.iter().enumerate() {
        while *at - arrived[first] >= Duration::from_secs(1) {
            first += 1;
        }
        most = most.max(index - first + 1);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_second_is_found_wherever_it_lies() {
        let begun = Instant::now();
        let mut arrived: Vec<Instant> = [0, 900, 950, 1000, 1899, 1950, 5000]
            .map(|ms| begun + Duration::from_millis(ms))
            .into();
        assert_eq!(most_in_a_second(&mut arrived), 4);
        assert_eq!(most_in_a_second(&mut []), 0);
    }
}
