//! Latency: 50 events a second, one transaction each, with a worker that has nothing else to do.
//!
//! Two figures: from just before COMMIT was sent to the arrival at the sink (an upper bound of commit to arrival), and from
//! when COMMIT was answered (a lower bound; below zero where the webhook was faster than the answer).

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use deadpool_postgres::{Manager, Pool};
use postrider::publish_tx;
use postrider_testkit::monotonic_ns;
use tokio::time::MissedTickBehavior;
use tokio_postgres::NoTls;

use crate::drain::arrive;
use crate::events::{self, TENANT};
use crate::progress::Progress;
use crate::samples::percentile;
use crate::sink::Sink;
use crate::site::Database;
use crate::worker::Worker;

/// Events a second.
const RATE: u64 = 50;
/// Published before, and not counted: connections are made, plans are cached.
const WARM_UP: u64 = 50;

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// Counted from two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latencies {
    /// From just before COMMIT was sent.
    pub(crate) sent: Latency,
    /// From when COMMIT was answered.
    pub(crate) answered: Latency,
}

/// Publishes for so long and waits until everything has arrived.
pub(crate) async fn measure(
    sink: &mut Sink,
    worker: &mut Worker,
    database: &Database,
    span: Duration,
    progress: &Progress,
) -> Result<Latencies> {
    sink.reset(true).await?;
    let pool = Pool::builder(Manager::new(database.url.parse()?, NoTls)).max_size(1).build()?;
    let mut client = pool.get().await?;
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let count = WARM_UP + span.as_secs() * RATE;
    let mut committed = HashMap::new();
    for number in 0..count {
        ticks.tick().await;
        progress.say(|| format!("latency: {number} of {count}"));
        let event = events::event(TENANT, number);
        let tx = client.transaction().await?;
        let _inserted = publish_tx(&tx, &event).await?;
        let sent = monotonic_ns();
        tx.commit().await?;
        let answered = monotonic_ns();
        if number >= WARM_UP {
            committed.insert(event.id().to_owned(), (sent, answered));
        }
    }
    arrive(sink, worker, count, "latency", progress).await?;
    let (mut from_sent, mut from_answered) = (Vec::new(), Vec::new());
    for (id, arrived) in sink.arrivals().await? {
        if let Some((sent, answered)) = committed.remove(&id) {
            from_sent.push(millis(arrived, sent));
            from_answered.push(millis(arrived, answered));
        }
    }
    if !committed.is_empty() {
        bail!("{} events never arrived", committed.len());
    }
    Ok(Latencies { sent: summary(from_sent)?, answered: summary(from_answered)? })
}

fn millis(arrived: u64, from: u64) -> f64 {
    (arrived as f64 - from as f64) / 1e6
}

fn summary(mut values: Vec<f64>) -> Result<Latency> {
    values.sort_by(f64::total_cmp);
    let max = *values.last().context("nothing was measured")?;
    Ok(Latency { p50: percentile(&values, 0.5), p99: percentile(&values, 0.99), max })
}
