//! The endpoint of a lane: looked up when it is not known or may have changed, and what becomes of the lane when it is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::status::DeliveryStatus;
use postrider_runtime::Pacer;
use postrider_store::ErrorKind;
use postrider_store::deliveries::LeasedDelivery;
use tracing::{debug, error, warn};

use super::{AFTER_LEASE, Inner, lock};
use crate::attempt;
use crate::health::PAUSED_FOR;
use crate::hold::InHand;
use crate::lane::Lane;
use crate::recorder::{Outcome, Outcomes};
use crate::target::{Lookup, Target, look_up};

/// What no attempt may take of a lease, so that there is time to start one.
const LEASE_SLACK: Duration = Duration::from_secs(10);
/// How long an endpoint is taken for unchanged without another look; less than `CHANGE_SETTLES` of the store.
const TRUSTED: Duration = Duration::from_secs(2);

impl Inner {
    /// The endpoint, if it was read or found unchanged a moment ago. So nothing starts once a change is older than that, though
    /// nobody told this worker and it cannot look; who disables an endpoint waits for that long before he answers.
    pub(super) fn current(&self, lane: &Lane) -> Option<Arc<Target>> {
        let confirmed = *lock(&self.confirmed);
        lane.target().filter(|target| target.read_at.max(confirmed).elapsed() < TRUSTED)
    }

    /// Looks the endpoint up, once for all slots that wait. Without a target, the lane's deliveries have been dealt with.
    pub(super) async fn look_up(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        outcomes: &Outcomes,
    ) -> Option<Arc<Target>> {
        self.reports.first_look().await;
        let _one = lane.looking_up.lock().await;
        if let Some(target) = self.current(lane) {
            return Some(target);
        }
        let mut pacer = Pacer::new(Duration::from_millis(250), Duration::from_secs(5));
        // Another slot may have dealt with everything while this one waited.
        while lane.queued() > 0 && !self.stop.soft_requested() {
            lane.clear_stale();
            let before = lane.last_target();
            let found = look_up(&self.db, lane.endpoint, &self.policy, before.as_deref()).await;
            if !matches!(found, Ok(Lookup::Ready(_))) {
                // Nothing starts by what the endpoint was before: the next delivery asks again.
                lane.mark_stale();
            }
            match found {
                Ok(Lookup::Ready(mut target)) => {
                    let longest = self.lease.saturating_sub(LEASE_SLACK);
                    if target.timeout > longest {
                        warn!(endpoint.id = %lane.endpoint, "attempts to {} end after {longest:?}, before its own time-out: the lease is too short for that", lane.endpoint);
                        target.timeout = longest;
                    }
                    let fleet = *lock(&self.fleet);
                    let workers = fleet.workers;
                    target.share = self.shares.of(&target.tenant, target.tenant_limits, workers);
                    let target = Arc::new(*target);
                    if lane.set_target(Arc::clone(&target), fleet) {
                        if lane.is_paced() {
                            self.shed(lane);
                        }
                        return Some(target);
                    }
                    self.leave_to_others(lane);
                    return None;
                }
                Ok(Lookup::Gone(reason)) => {
                    debug!(endpoint.id = %lane.endpoint, reason, "the deliveries of {} are cancelled: {reason}", lane.endpoint);
                    self.end_all(lane, outcomes, |delivery| {
                        attempt::end(delivery, DeliveryStatus::Cancelled, reason)
                    })
                    .await;
                    return None;
                }
                Ok(Lookup::Unusable(class, rule)) => {
                    let refuse = |delivery: &_| self.sender.refuse(delivery, class, rule);
                    self.end_all(lane, outcomes, refuse).await;
                    return None;
                }
                Ok(Lookup::Paused) => {
                    debug!(endpoint.id = %lane.endpoint, "{} is paused: its deliveries wait", lane.endpoint);
                    // Whoever looks at health keeps it shut, and opens it.
                    lane.shut(Instant::now() + PAUSED_FOR);
                    self.let_go(lane);
                    return None;
                }
                Ok(Lookup::Held(why)) => {
                    error!(endpoint.id = %lane.endpoint, why, "endpoint {} cannot be sent to: {why}", lane.endpoint);
                    self.hold(lane);
                    return None;
                }
                Err(failure) => {
                    self.sender.metrics.db_error("delivery");
                    let wait = pacer.next();
                    if failure.kind() == ErrorKind::Unavailable {
                        // Said once a second by whoever watches for changes, not by every lane.
                        debug!(endpoint.id = %lane.endpoint, error = %failure, "looking up {} waits", lane.endpoint);
                    } else {
                        warn!(endpoint.id = %lane.endpoint, error = %failure, wait_ms = wait.as_millis(), "looking up {} failed: {failure}", lane.endpoint);
                    }
                    self.stop.soft_within(wait).await;
                }
            }
        }
        None
    }

    /// Ends everything that is queued, and asks for what waits in the database.
    async fn end_all(
        &self,
        lane: &Lane,
        outcomes: &Outcomes,
        end: impl Fn(&LeasedDelivery) -> Outcome,
    ) {
        let taken = lane.take_all().into_iter();
        let hands: Vec<_> = taken.map(|delivery| InHand::new(self, delivery)).collect();
        for mut hand in hands {
            // What was to go in one request ends one by one: none was made.
            let singles = hand.delivery.batch.as_ref().map(|_| hand.delivery.singles());
            let all = singles.as_deref().unwrap_or(std::slice::from_ref(&hand.delivery));
            let mut sent = true;
            for delivery in all {
                sent &= outcomes.send(end(delivery)).await.is_ok();
            }
            hand.settled = sent;
        }
        if lane.is_overflowed() {
            self.request_pull(lane.endpoint);
        }
    }

    /// Lets go of what is queued: it is due again when its leases end.
    fn hold(&self, lane: &Lane) {
        for delivery in lane.take_all() {
            self.count_out(&delivery);
            self.due.at(lane.endpoint, delivery.leased_at + self.lease + AFTER_LEASE);
        }
    }
}
