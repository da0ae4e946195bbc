//! How many events a second one worker brings to an endpoint with batches, beside one without, and what they cost: in turns, the
//! same events, the same receiver, which counts.
//!
//! With a receiver that answers at once both are as fast as events are fanned out, so the rates say only that batches are no loss; what
//! they save is processor time, and a receiver's work.

use std::time::Duration;

use postrider_testkit::Receiver;
use serde_json::json;

use super::super::rate_limit::publish;
use crate::kit::{Ground, Installation, Lines, cpu_of, note, server_cpu};

const PAIRS: usize = 3;
const DRAIN_LIMIT: Duration = Duration::from_secs(300);
/// Of the rate one by one.
const LEAST: f64 = 0.9;
/// Of the processor time of worker and server that an event takes one by one.
const MOST_CPU: f64 = 1.0;

pub(super) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let events: i32 = ground.size(50_000, 5_000);
    let mut installation = Installation::new(ground, "batching-throughput").await?;
    let receiver = Receiver::counting().await;
    let base = receiver.url("");
    let worker = installation.worker(&[]).await?;
    let client = installation.client().await?;
    let (mut single, mut batched) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        for (name, options, runs) in [
            ("single", &[][..], &mut single),
            ("batched", &["--batch-max-events", "100"][..], &mut batched),
        ] {
            let (tenant, before) = (format!("{name}-{pair}"), receiver.count());
            installation
                .add_endpoint(base.trim_end_matches('/'), name, &tenant, "*", options)
                .await?;
            publish(&client, &tenant, events).await?;
            let used = cpu_of(worker.pid())? + server_cpu(&installation.server)?;
            let took = installation.drained(DRAIN_LIMIT).await?;
            let used = cpu_of(worker.pid())? + server_cpu(&installation.server)? - used;
            let rate = f64::from(events) / took.as_secs_f64();
            let cpu_us = used * 1e6 / f64::from(events);
            let requests = receiver.count() - before;
            note(format!("{name}: {rate:.0} events/s in {requests} requests, {cpu_us:.1} µs each"));
            runs.push((rate, cpu_us));
        }
    }
    let rates = |runs: &[(f64, f64)]| median(runs.iter().map(|run| run.0).collect());
    let cpus = |runs: &[(f64, f64)]| median(runs.iter().map(|run| run.1).collect());
    let (rate, cpu) = (rates(&batched) / rates(&single), cpus(&batched) / cpus(&single));
    lines.put(
        rate >= LEAST && cpu <= MOST_CPU,
        "batching.throughput",
        format!(
            "{:.0} events/s in batches of 100, {:.0} one by one: {rate:.2}; {:.1} and {:.1} µs of worker and PostgreSQL an event: \
             {cpu:.2} (medians of {PAIRS})",
            rates(&batched),
            rates(&single),
            cpus(&batched),
            cpus(&single),
        ),
        format!("rate ≥ {LEAST}, processor time ≤ {MOST_CPU} of one by one"),
        json!({ "events": events, "batched_per_second": rates(&batched), "single_per_second": rates(&single), "rate_ratio": rate,
                "batched_cpu_us": cpus(&batched), "single_cpu_us": cpus(&single), "cpu_ratio": cpu, "pairs": PAIRS }),
    );
    worker.stop().await?;
    drop(client);
    installation.end().await
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}
