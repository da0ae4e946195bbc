//! Leases from the database what a lane has room for: overflow, retries, a dead worker's deliveries.
//! Reads and leases `webhook_deliveries_open`, one endpoint at a time, so nobody scans one endpoint's backlog to find
//! another's row.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postrider_core::ids::EndpointId;
use postrider_runtime::Stop;
use postrider_store::StoreError;
use postrider_store::deliveries::{self, LeasedDelivery, Pulled};
use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, warn};

use crate::asked::Asked;
use crate::attempt;
use crate::batch;
use crate::health;
use crate::lanes::{Inner, lock};
use crate::recorder::Outcome;

/// Pulls at once: enough to keep the lanes full, few enough to leave the database to fan-out and the recorder.
const AT_ONCE: usize = 3;
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Before an endpoint is looked at again whose ordered deliveries wait until events before theirs are fanned out.
pub(crate) const HELD: Duration = Duration::from_millis(100);
/// It doubles up to this: an event may have to wait for its fan-out for long.
const MOST_HELD: Duration = Duration::from_secs(2);
/// Before an endpoint is looked at again: for rows that somebody else has locked, and for room in memory.
pub(crate) const SOON: Duration = Duration::from_millis(50);
/// How much is looked through at once for a delivery to probe with, where the first one needed no request; and for how long.
const PROBE_PULL: usize = 64;
const PROBE_PULLS: Duration = Duration::from_secs(1);

/// Answers requests until stopped.
pub(crate) async fn run(
    inner: Arc<Inner>,
    mut requests: mpsc::UnboundedReceiver<EndpointId>,
    stop: Stop,
) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = Asked::default();
    loop {
        if asked.is_empty() {
            let request = tokio::select! {
                () = stop.soft() => return,
                request = requests.recv() => request,
            };
            let Some(endpoint) = request else { return };
            asked.add(inner.lane(endpoint).whose());
        }
        // Whoever asks while this waits may come before those who asked earlier.
        let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else { return };
        while let Ok(endpoint) = requests.try_recv() {
            asked.add(inner.lane(endpoint).whose());
        }
        let Some(endpoint) = asked.next() else { continue };
        let lane = inner.lane(endpoint);
        if inner.bytes.load(Ordering::Relaxed) >= inner.byte_budget {
            // Memory comes first.
            lane.overflow();
            inner.due.at(endpoint, Instant::now() + SOON);
            continue;
        }
        let shut_until = lane.shut_until();
        if let Some(until) = shut_until.filter(|until| *until > Instant::now()) {
            lane.overflow();
            inner.due.at(endpoint, until);
            continue;
        }
        if let Some(until) = inner.batching.rests(endpoint) {
            inner.due.at(endpoint, until);
            continue;
        }
        let wanted = match shut_until {
            Some(_) => None,
            None => match lane.begin_pull(inner.depth()) {
                Some(wanted) => Some(wanted),
                None => {
                    if lane.is_paced() {
                        // Its slots hold all that may wait for its rate; what they take next frees no queue that would ask again.
                        inner.due.at(endpoint, Instant::now() + SOON);
                    }
                    continue;
                }
            },
        };
        if stop.soft_requested() {
            return;
        }
        let (task, stop) = (Arc::clone(&inner), stop.clone());
        inner.tasks.spawn(async move {
            let served = match wanted {
                Some(wanted) => pull(&task, endpoint, wanted).await,
                None => ask(&task, endpoint).await,
            };
            if !served {
                // Kept by the permit: a database that is away gets a few tries a second, not one for each endpoint.
                stop.soft_within(AFTER_FAILURE).await;
            }
            drop(permit);
        });
    }
}

/// Asks whether the deliveries of a lane that was shut flow again, and pulls them if so. `false`: the database failed.
async fn ask(inner: &Arc<Inner>, endpoint: EndpointId) -> bool {
    let lane = inner.lane(endpoint);
    match health::admit(inner, &lane).await {
        Ok(true) => match lane.begin_pull(inner.depth()) {
            Some(wanted) => pull(inner, endpoint, wanted).await,
            None => {
                // It holds something already, at which nobody worked while it was shut.
                inner.open_slots(&lane);
                true
            }
        },
        Ok(false) => true,
        Err(failure) => {
            inner.sender.metrics.db_error("pull");
            warn!(endpoint.id = %endpoint, error = %failure, "asking how {endpoint} is failed: {failure}");
            inner.due.at(endpoint, Instant::now() + AFTER_FAILURE);
            false
        }
    }
}

/// One pull. `false`: the database failed.
async fn pull(inner: &Arc<Inner>, endpoint: EndpointId, wanted: usize) -> bool {
    let lane = inner.lane(endpoint);
    if inner.batching.knows(endpoint) {
        return batch::pull(inner, &lane, wanted).await;
    }
    let pulled = match lane.is_probing() {
        true => pull_probe(inner, endpoint).await,
        false => deliveries::pull(&inner.db, endpoint, wanted, inner.owner, inner.lease).await,
    };
    match pulled {
        Ok(Pulled { deliveries: pulled, held, batching }) => {
            let short = pulled.len() < wanted;
            if batching {
                // What has no order is still there; the next pull is one of batches.
                inner.batching.add(endpoint);
            } else if pulled.is_empty() && lane.is_probing() {
                inner.reports.give_back(endpoint, Duration::ZERO);
            }
            let soon = if held { lane.held_again(HELD, MOST_HELD) } else { SOON };
            if held {
                inner.due.at(endpoint, Instant::now() + soon);
            } else {
                lane.held_no_more();
            }
            inner.count_in(&pulled);
            let again = lane.end_pull(pulled, short);
            inner.open_slots(&lane);
            if lane.shut_until().is_some() {
                inner.let_go(&lane);
            }
            if again || batching {
                inner.request_pull(endpoint);
            } else if short {
                arm(inner, endpoint, soon).await;
            }
            true
        }
        Err(failure) => {
            lane.fail_pull();
            inner.sender.metrics.db_error("pull");
            warn!(endpoint.id = %endpoint, error = %failure, "pulling deliveries of {endpoint} failed: {failure}");
            inner.due.at(endpoint, Instant::now() + AFTER_FAILURE);
            false
        }
    }
}

/// The one delivery of an endpoint that is probed. What needs no request ends here: it may be more than there is time for probes.
async fn pull_probe(inner: &Arc<Inner>, endpoint: EndpointId) -> Result<Pulled, StoreError> {
    let (begun, mut wanted) = (Instant::now(), 1);
    loop {
        let pulled =
            deliveries::pull(&inner.db, endpoint, wanted, inner.owner, inner.lease).await?;
        let now = inner.sender.clock.now();
        let mut kept = Vec::new();
        let mut leases = Vec::new();
        let mut ended = false;
        for delivery in pulled.deliveries {
            match attempt::to_send(&delivery, now).map(|_| ()) {
                Ok(()) if kept.is_empty() => kept.push(delivery),
                Ok(()) => leases.extend(delivery.leases()),
                Err((status, reason)) => {
                    ended = true;
                    settle(inner, &delivery, attempt::end(&delivery, status, reason)).await;
                }
            }
        }
        if !leases.is_empty() {
            deliveries::release(&inner.db, inner.owner, &leases).await?;
        }
        if !kept.is_empty() || !ended || begun.elapsed() > PROBE_PULLS {
            return Ok(Pulled { deliveries: kept, ..pulled });
        }
        wanted = PROBE_PULL;
    }
}

/// Passes the end of a delivery on.
pub(crate) async fn settle(inner: &Inner, delivery: &LeasedDelivery, outcome: Outcome) {
    let outcomes = lock(&inner.outcomes).clone();
    let sent = match outcomes {
        Some(outcomes) => outcomes.send(outcome).await.is_ok(),
        None => false,
    };
    if !sent {
        lock(&inner.abandoned).extend(delivery.leases());
    }
}

/// Sets the timer for what was not due yet: only the earliest time of an endpoint is kept in memory, and it has just passed. `soon`: for
/// what is due and was not to be had.
async fn arm(inner: &Inner, endpoint: EndpointId, soon: Duration) {
    match deliveries::next_due(&inner.db, endpoint).await {
        Ok(Some(wait)) => {
            let wait = if wait.is_zero() { soon } else { wait.max(SOON) };
            inner.due.at(endpoint, Instant::now() + wait);
        }
        Ok(None) => {}
        Err(failure) => {
            inner.sender.metrics.db_error("pull");
            debug!(endpoint.id = %endpoint, error = %failure, "the next walk finds what else is owed to {endpoint}");
        }
    }
}
