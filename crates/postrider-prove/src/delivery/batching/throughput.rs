//! How many events a second one worker brings to an endpoint with batches, beside one without: in turns, the same events, the same
//! receiver, which counts.

use std::time::Duration;

use postrider_testkit::Receiver;
use serde_json::json;

use super::super::rate_limit::publish;
use crate::kit::{Ground, Installation, Lines, note};

const PAIRS: usize = 3;
const DRAIN_LIMIT: Duration = Duration::from_secs(300);
/// With fewer, batches would be a loss.
const LEAST: f64 = 1.0;

pub(super) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let events: i32 = ground.size(50_000, 5_000);
    let mut installation = Installation::new(ground, "batching-throughput").await?;
    let receiver = Receiver::counting().await;
    let base = receiver.url("");
    let worker = installation.worker(&[]).await?;
    let client = installation.client().await?;
    let (mut single, mut batched) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        for (name, options, rates) in [
            ("single", &[][..], &mut single),
            ("batched", &["--batch-max-events", "100"][..], &mut batched),
        ] {
            let (tenant, before) = (format!("{name}-{pair}"), receiver.count());
            installation
                .add_endpoint(base.trim_end_matches('/'), name, &tenant, "*", options)
                .await?;
            publish(&client, &tenant, events).await?;
            let took = installation.drained(DRAIN_LIMIT).await?;
            let rate = f64::from(events) / took.as_secs_f64();
            note(format!("{name}: {rate:.0} events/s in {} requests", receiver.count() - before));
            rates.push(rate);
        }
    }
    let (single, batched) = (median(single), median(batched));
    let ratio = batched / single;
    lines.put(
        ratio >= LEAST,
        "batching.throughput",
        format!("{batched:.0} events/s in batches of 100, {single:.0} one by one: {ratio:.2} (medians of {PAIRS})"),
        "at least as many as one by one",
        json!({ "events": events, "batched_per_second": batched, "single_per_second": single, "ratio": ratio, "pairs": PAIRS }),
    );
    worker.stop().await?;
    drop(client);
    installation.end().await
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}
