//! What is allowed to the fleet, divided among its workers. With more workers than an endpoint's requests in flight, some have no part
//! in it: their lanes stay shut, and what they come by is left to the others, who are told of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postrider_store::deliveries;
use tracing::debug;

use super::{Inner, lock};
use crate::lane::Lane;
use crate::limit::Fleet;

/// How long an endpoint is left to others before it is looked at again, though nothing seems to have changed.
const LEFT_FOR: Duration = Duration::from_secs(3600);
/// The others are told so long after something was left to them, for all of it together.
const TOLD_AFTER: Duration = Duration::from_millis(50);

impl Inner {
    /// Takes note of who delivers: what is allowed to the fleet is divided among them.
    pub(crate) fn note_fleet(&self, fleet: Fleet) {
        self.slots.limit(self.limits.part_in_flight(fleet.workers));
        if let Some(rate) = &self.rate {
            rate.set(self.limits, fleet.workers);
        }
        if std::mem::replace(&mut *lock(&self.fleet), fleet) != fleet {
            for lane in lock(&self.lanes).values() {
                lane.mark_stale();
            }
        }
    }

    /// Leaves an endpoint of which this worker has no part to those that have one.
    pub(super) fn leave_to_others(self: &Arc<Self>, lane: &Lane) {
        debug!(endpoint.id = %lane.endpoint, "{} is for other workers: there are more of them than it takes requests", lane.endpoint);
        lane.leave(Instant::now() + LEFT_FOR);
        self.let_go(lane);
        self.tell_others();
    }

    /// Tells the other workers to look for what is due, soon and once for all that was left to them meanwhile.
    pub(crate) fn tell_others(self: &Arc<Self>) {
        if self.telling.swap(true, Ordering::Relaxed) {
            return;
        }
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            inner.stop.soft_within(TOLD_AFTER).await;
            inner.telling.store(false, Ordering::Relaxed);
            if let Err(failure) = deliveries::tell_workers(&inner.db).await {
                inner.sender.metrics.db_error("delivery");
                debug!(error = %failure, "the other workers find by themselves what is left to them");
            }
        });
    }
}
