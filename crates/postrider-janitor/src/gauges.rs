//! Samples what operators watch into the metrics, so that a scrape never costs the database anything.
//! Reads the queue, the open deliveries and the activity of the server. Writes nothing.

use std::time::Duration;

use postrider_runtime::{Metrics, Stop};
use postrider_store::gauges::{self, Sample};
use postrider_store::{Db, StoreError};
use tracing::debug;

const EVERY: Duration = Duration::from_secs(15);
/// A backlog is counted up to here.
const CAP: i64 = 100_000;
/// The most overdue delivery is looked for among this many endpoints.
const ENDPOINTS: i64 = 2000;

/// Takes one sample and shows it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn pass(db: &Db, metrics: &Metrics) -> Result<Sample, StoreError> {
    let sample = gauges::sample(db, CAP, ENDPOINTS).await?;
    metrics.pending_events.set(sample.pending);
    metrics.oldest_pending.set(sample.oldest_pending.max(0.0));
    metrics.due_lag.set(sample.due_lag.max(0.0));
    metrics.oldest_snapshot.set(sample.oldest_snapshot.max(0.0));
    metrics.sampled_at.set(sample.sampled_at);
    Ok(sample)
}

pub(crate) async fn run(db: &Db, stop: &Stop, metrics: &Metrics) {
    while !stop.soft_requested() {
        if let Err(error) = pass(db, metrics).await {
            metrics.db_error("gauges");
            debug!(%error, "could not sample the gauges");
        }
        stop.soft_within(EVERY).await;
    }
}
