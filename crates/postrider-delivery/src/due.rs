//! Knows when endpoints are next due: what this worker dealt with by a timer heap, everything else by a walk of the index
//! (retries from before a restart, a dead worker's overflow), one probe an endpoint.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
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
/// A walk costs at most a hundredth of the time.
const WALK_FACTOR: u32 = 100;

/// The timer heap. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Due(Arc<Timers>);

#[derive(Default)]
struct Timers {
    heap: Mutex<Heap>,
    earlier: Notify,
}

#[derive(Default)]
struct Heap {
    times: BinaryHeap<Reverse<(Instant, Uuid)>>,
    /// The earliest time of each endpoint; later entries of the heap are left over and ignored.
    earliest: HashMap<Uuid, Instant>,
}

impl Due {
    /// This endpoint has something due at that time.
    pub(crate) fn at(&self, endpoint: EndpointId, at: Instant) {
        let mut heap = lock(&self.0.heap);
        if heap.earliest.get(&endpoint.0).is_some_and(|known| *known <= at) {
            return;
        }
        let first = heap.times.peek().is_none_or(|Reverse((next, _))| at < *next);
        heap.earliest.insert(endpoint.0, at);
        heap.times.push(Reverse((at, endpoint.0)));
        drop(heap);
        if first {
            self.0.earlier.notify_one();
        }
    }

    /// Takes the endpoints that are due by now; and when the next one is.
    fn take(&self, now: Instant) -> (Vec<EndpointId>, Option<Instant>) {
        let mut heap = lock(&self.0.heap);
        let mut due = Vec::new();
        while let Some(Reverse((at, endpoint))) = heap.times.peek().copied() {
            if at > now {
                return (due, Some(at));
            }
            heap.times.pop();
            if heap.earliest.get(&endpoint) == Some(&at) {
                heap.earliest.remove(&endpoint);
                due.push(EndpointId(endpoint));
            }
        }
        (due, None)
    }
}

/// Opens the lanes of endpoints as they fall due, until stopped.
pub(crate) async fn run(inner: Arc<Inner>, leases_released: Wake, stop: Stop) {
    let mut next_walk = Instant::now();
    while !stop.soft_requested() {
        let now = Instant::now();
        if now >= next_walk {
            let cost = walk(&inner).await;
            next_walk = Instant::now() + WALK_EVERY.max(cost.saturating_mul(WALK_FACTOR));
        }
        let (due, next) = inner.due.take(Instant::now());
        for endpoint in due {
            inner.request_pull(endpoint);
        }
        let until = next.map_or(next_walk, |next| next.min(next_walk));
        tokio::select! {
            () = stop.soft() => {}
            () = inner.due.0.earlier.notified() => {}
            () = leases_released.woken() => next_walk = Instant::now(),
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
            "left-over entries do not count"
        );
    }
}
