//! Leases from the database what a lane has room for: overflow, retries, a dead worker's deliveries.
//! Reads and leases `webhook_deliveries_open`, one endpoint at a time, so nobody scans one endpoint's backlog to find
//! another's row.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postrider_core::ids::EndpointId;
use postrider_runtime::Stop;
use postrider_store::deliveries::{self, Pulled};
use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, warn};

use crate::asked::Asked;
use crate::batch;
use crate::health;
use crate::lanes::Inner;

/// Pulls at once: enough to keep the lanes full, few enough to leave the database to fan-out and the recorder.
const AT_ONCE: usize = 3;
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Before an endpoint is looked at again whose ordered deliveries wait until events before theirs are fanned out.
pub(crate) const HELD: Duration = Duration::from_millis(100);
/// Before an endpoint is looked at again: for rows that somebody else has locked, and for room in memory.
pub(crate) const SOON: Duration = Duration::from_millis(50);

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
                None => continue,
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
            None => true,
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
    match deliveries::pull(&inner.db, endpoint, wanted, inner.owner, inner.lease).await {
        Ok(Pulled { deliveries: pulled, held, batching }) => {
            let short = pulled.len() < wanted;
            if batching {
                // What has no order is still there; the next pull is one of batches.
                inner.batching.add(endpoint);
            } else if pulled.is_empty() && lane.is_probing() {
                inner.reports.give_back(endpoint, Duration::ZERO);
            }
            if held {
                inner.due.at(endpoint, Instant::now() + HELD);
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
                arm(inner, endpoint).await;
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

/// Sets the timer for what was not due yet: only the earliest time of an endpoint is kept in memory, and it has just passed.
async fn arm(inner: &Inner, endpoint: EndpointId) {
    match deliveries::next_due(&inner.db, endpoint).await {
        Ok(Some(wait)) => inner.due.at(endpoint, Instant::now() + wait.max(SOON)),
        Ok(None) => {}
        Err(failure) => {
            inner.sender.metrics.db_error("pull");
            debug!(endpoint.id = %endpoint, error = %failure, "the next walk finds what else is owed to {endpoint}");
        }
    }
}
