//! The janitor: what nobody waits for and everybody would miss.
//!
//! Each part is a pass that does one round and reports what it did, and a loop around it: [`partitions`] (room ahead),
//! [`retention`] (what may go), [`recovery`] (leases of dead workers), [`vacuum`] (dead rows of the hot tables), [`gauges`]
//! (what operators watch), [`jobs`] (bulk work that people queue). Every worker runs all of them; of partitions and retention, one in the fleet at a time.
//! Reads and writes every table, and only through `postrider-store`.

pub mod gauges;
pub mod jobs;
pub mod partitions;
pub mod recovery;
pub mod retention;
mod upkeep;
pub mod vacuum;

use std::convert::Infallible;
use std::time::Duration;

use postrider_runtime::{Metrics, Stop, Wake};
use postrider_store::Db;

pub use retention::{Kept, PruneReport, Retention, prune};

/// What the janitor has to know of its worker.
#[derive(Debug, Clone)]
pub struct Options {
    /// This worker's incarnation: it never judges itself.
    pub incarnation: i64,
    /// How long a lease can be at most.
    pub lease: Duration,
    /// How old the heartbeat of a worker without a lock may be.
    pub heartbeat_limit: Duration,
    /// What is kept for how long.
    pub retention: Retention,
    /// Rung when a dead worker's leases became due.
    pub released: Wake,
    /// When the first hourly round begins: a worker that starts delivers first what waited for it.
    pub first_round_after: Duration,
}

impl Options {
    /// The usual: heartbeats of 15 seconds, retention as specified.
    #[must_use]
    pub fn new(incarnation: i64, lease: Duration) -> Self {
        Self {
            incarnation,
            lease,
            heartbeat_limit: Duration::from_secs(15),
            retention: Retention::default(),
            released: Wake::new(),
            first_round_after: Duration::from_secs(5),
        }
    }
}

/// Runs every loop of the janitor until a stop is requested. A database that fails is waited for, with growing pauses.
///
/// # Errors
/// Never: what fails is logged and tried again.
pub async fn run(db: Db, options: Options, stop: Stop, metrics: Metrics) -> Result<(), Infallible> {
    let loops = async {
        tokio::join!(
            recovery::run(&db, &options, &stop, &metrics),
            upkeep::run(&db, &options, &stop, &metrics),
            vacuum::run(&db, &stop, &metrics),
            gauges::run(&db, &stop, &metrics),
            jobs::run(&db, &options, &stop, &metrics),
        )
    };
    tokio::select! {
        _ = loops => {}
        // Whatever is half done is found and finished by the next janitor.
        () = stop.hard() => {}
    }
    Ok(())
}
