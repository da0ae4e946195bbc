//! The hourly round: partitions ahead, then retention, by one janitor of the fleet at a time.

use std::time::Duration;

use postrider_runtime::{Metrics, Pacer, Stop};
use postrider_store::maintenance::Maintenance;
use postrider_store::{Db, StoreError};
use tracing::{debug, info, warn};

use crate::{Options, partitions, retention};

const EVERY: Duration = Duration::from_secs(60 * 60);
/// After a round that could not do all it should.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10 * 60));

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Done,
    /// Something was in the way.
    Incomplete,
    /// Another janitor is at it.
    NotOurs,
}

pub(crate) async fn run(db: &Db, options: &Options, stop: &Stop, metrics: &Metrics) {
    let mut pacer = Pacer::new(AGAIN.0, AGAIN.1);
    stop.soft_within(options.first_round_after).await;
    while !stop.soft_requested() {
        let wait = match round(db, options, stop, metrics).await {
            Ok(Round::Done) => {
                pacer.reset();
                EVERY
            }
            Ok(Round::NotOurs) => EVERY,
            Ok(Round::Incomplete) => pacer.next(),
            Err(error) => {
                metrics.db_error("janitor");
                warn!(%error, "housekeeping failed; trying again");
                pacer.next()
            }
        };
        stop.soft_within(wait).await;
    }
}

async fn round(
    db: &Db,
    options: &Options,
    stop: &Stop,
    metrics: &Metrics,
) -> Result<Round, StoreError> {
    let Some(mut maintenance) = Maintenance::begin(db).await? else {
        debug!("another janitor is at it");
        return Ok(Round::NotOurs);
    };
    let made = partitions::pass(&mut maintenance, None).await?;
    metrics.partitions_made.inc_by(made.made);
    for (parent, error) in &made.blocked {
        metrics.db_error("janitor");
        warn!(table = parent.as_str(), %error, "could not keep the partitions of {}; trying again", parent.as_str());
    }
    if !made.in_use.is_empty() {
        warn!(partitions = ?made.in_use, "there are rows of a time to come: was the database's clock wrong?");
    }
    let pruned = retention::pass(&mut maintenance, &options.retention, None, false, stop).await?;
    retention::count(&pruned, metrics);
    for kept in &pruned.kept {
        warn!(partition = kept.name, "kept {} beyond its time: {}", kept.name, kept.why);
    }
    if pruned.expired > 0 {
        info!(
            deliveries = pruned.expired,
            "closed {} deliveries as exhausted: their bodies went", pruned.expired
        );
    }
    Ok(if made.blocked.is_empty() { Round::Done } else { Round::Incomplete })
}
