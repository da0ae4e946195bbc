//! Finds dead workers and makes their leases due again (protocol P6).
//! Reads `webhook_workers` and the locks on incarnations. Writes `webhook_deliveries_open` (leases) and `webhook_workers`.
//! A worker is dead when its lock was found free, or its heartbeat old, for a whole grace, and once more in the transaction
//! that releases its leases.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use postrider_runtime::{Metrics, Pacer, Stop};
use postrider_store::workers::{self, Burial, Look, Suspect};
use postrider_store::{Db, StoreError};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::Options;

/// How long a worker must look dead.
pub const GRACE: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_secs(1);
const CHUNK: u32 = 1000;

/// What one round did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Workers that look dead, judged or not.
    pub suspects: usize,
    /// Workers found dead and taken out of the fleet.
    pub buried: usize,
    /// Leases made due.
    pub released: u64,
}

/// Remembers since when each worker looks dead.
#[derive(Debug, Default)]
pub struct Watch {
    since: HashMap<i64, Instant>,
    looked_at: Option<Instant>,
    server_started_at: Option<Timestamp>,
}

impl Watch {
    /// Looks at the fleet once, and buries who is dead.
    ///
    /// # Errors
    /// When the database cannot be asked: whoever looked dead gets a new grace.
    pub async fn pass(
        &mut self,
        db: &Db,
        options: &Options,
        stop: &Stop,
    ) -> Result<Pass, StoreError> {
        let done = self.round(db, options, stop).await;
        if done.is_err() {
            *self = Self::default();
        }
        done
    }

    async fn round(&mut self, db: &Db, options: &Options, stop: &Stop) -> Result<Pass, StoreError> {
        let look = workers::look(db, options.incarnation, options.heartbeat_limit).await?;
        let mut pass = Pass { suspects: look.suspects.len(), ..Pass::default() };
        for dead in self.judge(&look, Instant::now()) {
            loop {
                let (released, more) = match workers::bury(
                    db,
                    dead.incarnation,
                    options.heartbeat_limit,
                    options.lease,
                    CHUNK,
                )
                .await?
                {
                    Burial::NotOurs => break,
                    Burial::Released(leases) => (leases, true),
                    Burial::Done(leases) => (leases, false),
                };
                pass.released += released;
                if !more {
                    pass.buried += 1;
                    warn!(
                        worker = dead.incarnation,
                        name = dead.name,
                        leases = pass.released,
                        "worker {} is dead; what it had leased is due again",
                        dead.incarnation
                    );
                    break;
                }
                if stop.soft_requested() {
                    return Ok(pass);
                }
            }
        }
        Ok(pass)
    }

    /// Who has looked dead for a whole grace, as far as we could see without a break.
    fn judge(&mut self, look: &Look, now: Instant) -> Vec<Suspect> {
        let unbroken = self.server_started_at == Some(look.server_started_at)
            && self.looked_at.is_some_and(|at| now.duration_since(at) <= GRACE);
        if !unbroken {
            // Our first look, or we were away, or the server was: everybody's session may have been lost with ours.
            self.since.clear();
        }
        self.looked_at = Some(now);
        self.server_started_at = Some(look.server_started_at);
        self.since.retain(|incarnation, _| {
            look.suspects.iter().any(|suspect| suspect.incarnation == *incarnation)
        });
        look.suspects
            .iter()
            .filter(|suspect| {
                let since = *self.since.entry(suspect.incarnation).or_insert(now);
                now.duration_since(since) >= GRACE
            })
            .cloned()
            .collect()
    }

    /// How long until the next look is worth while: a second, or less if a grace ends before.
    fn wait(&self, now: Instant) -> Duration {
        let grace_ends =
            self.since.values().map(|since| (*since + GRACE).saturating_duration_since(now)).min();
        grace_ends.map_or(EVERY, |left| left.clamp(EVERY / 10, EVERY))
    }
}

pub(crate) async fn run(db: &Db, options: &Options, stop: &Stop, metrics: &Metrics) {
    let mut watch = Watch::default();
    let mut pacer = Pacer::new(EVERY, Duration::from_secs(10));
    while !stop.soft_requested() {
        let wait = match watch.pass(db, options, stop).await {
            Ok(pass) => {
                pacer.reset();
                metrics.workers_buried.inc_by(pass.buried as u64);
                metrics.leases_released.inc_by(pass.released);
                if pass.released > 0 {
                    options.released.wake();
                }
                watch.wait(Instant::now())
            }
            Err(error) => {
                metrics.db_error("janitor");
                debug!(%error, "could not look for dead workers");
                pacer.next()
            }
        };
        stop.soft_within(wait).await;
    }
}

#[cfg(test)]
mod tests;
