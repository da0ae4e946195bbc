//! Knows when endpoints are next due: what this worker dealt with by timers, everything else by a walk of the index
//! (retries from before a restart, a dead worker's overflow), one probe an endpoint.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use postrider_core::ids::EndpointId;
use postrider_runtime::{Stop, Wake};
use postrider_store::deliveries;
use tokio::sync::Notify;
use tracing::warn;
use uuid::Uuid;

use crate::lanes::{Inner, lock};

const WALK_EVERY: Duration = Duration::from_secs(5);
/// A walk costs at most a hundredth of the time; a sixth while somebody keeps asking for it.
const WALK_FACTOR: u32 = 100;
const ASKED_FACTOR: u32 = 5;

/// The timers, one an endpoint, so they do not grow with what is owed. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Due(Arc<Timers>);

#[derive(Default)]
struct Timers {
    times: Mutex<Times>,
    earlier: Notify,
}

/// The earliest time of each endpoint, twice: in order, and by endpoint.
#[derive(Default)]
struct Times {
    ordered: BTreeSet<(Instant, Uuid)>,
    earliest: HashMap<Uuid, Instant>,
}

impl Due {
    /// This endpoint has something due at that time.
    pub(crate) fn at(&self, endpoint: EndpointId, at: Instant) {
        let mut times = lock(&self.0.times);
        if let Some(known) = times.earliest.get(&endpoint.0).copied() {
            if known <= at {
                return;
            }
            times.ordered.remove(&(known, endpoint.0));
        }
        let first = times.ordered.first().is_none_or(|(next, _)| at < *next);
        times.earliest.insert(endpoint.0, at);
        times.ordered.insert((at, endpoint.0));
        drop(times);
        if first {
            self.0.earlier.notify_one();
        }
    }

    /// Takes the endpoints that are due by now; and when the next one is.
    fn take(&self, now: Instant) -> (Vec<EndpointId>, Option<Instant>) {
        let mut times = lock(&self.0.times);
        let mut due = Vec::new();
        while let Some((at, endpoint)) = times.ordered.first().copied() {
            if at > now {
                return (due, Some(at));
            }
            times.ordered.pop_first();
            times.earliest.remove(&endpoint);
            due.push(EndpointId(endpoint));
        }
        (due, None)
    }
}

/// Opens the lanes of endpoints as they fall due, until stopped.
pub(crate) async fn run(inner: Arc<Inner>, leases_released: Wake, stop: Stop) {
    let (mut next_walk, mut soonest) = (Instant::now(), Instant::now());
    while !stop.soft_requested() {
        let now = Instant::now();
        if now >= next_walk {
            let cost = walk(&inner).await;
            let done = Instant::now();
            next_walk = done + WALK_EVERY.max(cost.saturating_mul(WALK_FACTOR));
            soonest = done + cost.saturating_mul(ASKED_FACTOR);
        }
        let (due, next) = inner.due.take(Instant::now());
        for endpoint in due {
            inner.request_pull(endpoint);
        }
        let until = next.map_or(next_walk, |next| next.min(next_walk));
        tokio::select! {
            () = stop.soft() => {}
            () = inner.due.0.earlier.notified() => {}
            () = leases_released.woken() => next_walk = next_walk.min(soonest),
            () = tokio::time::sleep_until(until.into()) => {}
        }
    }
}

/// One walk; what it cost.
async fn walk(inner: &Inner) -> Duration {
    let started = Instant::now();
    match deliveries::due(&inner.db).await {
        Ok(found) => {
            let now = Instant::now();
            for (endpoint, wait) in found {
                inner.due.at(endpoint, now + wait);
            }
        }
        Err(failure) => {
            inner.sender.metrics.db_error("due");
            warn!(error = %failure, "looking for due deliveries failed: {failure}");
        }
    }
    started.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_due_once_at_its_earliest_time() {
        let (due, now) = (Due::default(), Instant::now());
        let endpoint = EndpointId(Uuid::from_u128(1));
        due.at(endpoint, now + Duration::from_secs(5));
        due.at(endpoint, now + Duration::from_secs(1));
        due.at(endpoint, now + Duration::from_secs(3));
        let (taken, next) = due.take(now);
        assert!(taken.is_empty());
        assert_eq!(next, Some(now + Duration::from_secs(1)));
        assert_eq!(due.take(now + Duration::from_secs(2)).0, [endpoint]);
        assert!(
            due.take(now + Duration::from_secs(9)).0.is_empty(),
            "later times of an endpoint are not kept"
        );
    }

    #[test]
    fn timers_do_not_grow_with_the_retries_of_an_endpoint() {
        let (due, now) = (Due::default(), Instant::now());
        let endpoint = EndpointId(Uuid::from_u128(1));
        for round in 0..1000u64 {
            // A far retry, then a near one, which falls due.
            due.at(endpoint, now + Duration::from_secs(86_400 + round));
            due.at(endpoint, now + Duration::from_millis(round));
            assert_eq!(due.take(now + Duration::from_millis(round)).0, [endpoint]);
        }
        let times = lock(&due.0.times);
        assert_eq!((times.ordered.len(), times.earliest.len()), (0, 0));
    }
}
