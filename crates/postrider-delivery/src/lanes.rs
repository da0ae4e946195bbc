//! All lanes of this worker: who may have room, and the slots that empty them.
//! Fan-out reserves and fills; the puller fills from the database; slots send and pass outcomes to the recorder.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use postrider_runtime::Stop;
use postrider_store::Db;
use postrider_store::deliveries::LeasedDelivery;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use crate::attempt::{self, Sender};
use crate::due::Due;
use crate::lane::{Depth, Lane, Slot};
use crate::recorder::{Outcome, Outcomes};
use crate::target::{Lookup, Target, TargetPolicy, look_up};

/// What recording an outcome may take; an attempt starts only while its lease covers the attempt and this.
const RECORD_MARGIN: Duration = Duration::from_secs(5);
/// The longest that fan-out waits for a lane to drain, a batch.
const PACE: Duration = Duration::from_millis(25);
/// Room that a batch of fan-out wants in one lane.
const BATCH: usize = 500;

/// A handle on the lanes. Clones share them.
#[derive(Clone)]
pub struct Lanes(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) owner: i64,
    pub(crate) lease: Duration,
    pub(crate) floor: usize,
    /// Envelopes that all lanes together may hold.
    pub(crate) byte_budget: usize,
    pub(crate) sender: Sender,
    pub(crate) policy: TargetPolicy,
    pub(crate) first_slots: Semaphore,
    pub(crate) retry_slots: Semaphore,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: Stop,
    pub(crate) due: Due,
    pub(crate) pulls: mpsc::UnboundedSender<EndpointId>,
    pub(crate) outcomes: Mutex<Option<Outcomes>>,
    pub(crate) lanes: Mutex<HashMap<EndpointId, Arc<Lane>>>,
    /// The lane that the last hand-off filled most, for [`Lanes::pace`].
    pub(crate) fullest: Mutex<Option<Arc<Lane>>>,
    pub(crate) bytes: AtomicUsize,
    /// Leases that slots gave up unsent or unfinished when they were stopped.
    pub(crate) abandoned: Mutex<Vec<(DeliveryId, i32)>>,
}

impl Lanes {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Reserves up to `wanted` places in an endpoint's lane, for envelopes of `bytes` bytes in all.
    #[must_use]
    pub fn reserve(&self, endpoint: EndpointId, wanted: usize, bytes: usize) -> usize {
        if self.0.stop.soft_requested()
            || self.0.bytes.load(Ordering::Relaxed) + bytes > self.0.byte_budget
        {
            return 0;
        }
        self.0.lane(endpoint).reserve(wanted, self.0.depth())
    }

    /// Gives places back.
    pub fn unreserve(&self, endpoint: EndpointId, places: usize) {
        self.0.lane(endpoint).unreserve(places);
    }

    /// Fills reserved places with committed deliveries that are leased to this worker.
    pub fn hand_off(&self, deliveries: Vec<LeasedDelivery>) {
        self.0.count_in(&deliveries);
        let mut fullest: Option<(usize, Arc<Lane>)> = None;
        let mut rest = deliveries.into_iter().peekable();
        while let Some(endpoint) = rest.peek().map(|delivery| delivery.endpoint) {
            let lane = self.0.lane(endpoint);
            lane.fill(std::iter::from_fn(|| {
                rest.next_if(|delivery| delivery.endpoint == endpoint)
            }));
            self.0.open_slots(&lane);
            let queued = lane.queued();
            if fullest.as_ref().is_none_or(|(most, _)| queued > *most) {
                fullest = Some((queued, lane));
            }
        }
        *lock(&self.0.fullest) = fullest.map(|(_, lane)| lane);
    }

    /// Deliveries of this endpoint were inserted as due.
    pub fn overflowed(&self, endpoint: EndpointId) {
        self.0.lane(endpoint).overflow();
        self.0.request_pull(endpoint);
    }

    /// Waits, 25 ms at most, while the lane filled last is nearly full but drains quickly.
    pub async fn pace(&self) {
        let Some(lane) = lock(&self.0.fullest).clone() else { return };
        if lane.is_worth_waiting_for(BATCH, self.0.depth()) {
            let _ = tokio::time::timeout(PACE, lane.drained.notified()).await;
        }
    }

    /// Nothing is queued, in flight, being pulled or known to wait.
    #[must_use]
    pub fn are_quiet(&self) -> bool {
        lock(&self.0.lanes).values().all(|lane| lane.is_idle(Duration::ZERO))
    }
}

impl Inner {
    pub(crate) fn depth(&self) -> Depth {
        Depth { floor: self.floor, lease: self.lease }
    }

    pub(crate) fn lane(&self, endpoint: EndpointId) -> Arc<Lane> {
        let mut lanes = lock(&self.lanes);
        Arc::clone(
            lanes
                .entry(endpoint)
                .or_insert_with(|| Arc::new(Lane::new(endpoint, self.policy.in_flight))),
        )
    }

    /// Asks the puller to lease what is due for this endpoint.
    pub(crate) fn request_pull(&self, endpoint: EndpointId) {
        // The puller is gone only when we are stopping.
        let _ = self.pulls.send(endpoint);
    }

    /// Starts as many slots as the lane has work for.
    pub(crate) fn open_slots(self: &Arc<Self>, lane: &Arc<Lane>) {
        for slot in lane.open_slots() {
            let (inner, lane) = (Arc::clone(self), Arc::clone(lane));
            self.tasks.spawn(async move {
                let stop = inner.stop.clone();
                tokio::select! {
                    biased;
                    () = stop.hard() => {}
                    () = inner.run_slot(lane, slot) => {}
                }
            });
        }
    }

    /// Counts the envelopes of deliveries that enter the lanes.
    pub(crate) fn count_in(&self, deliveries: &[LeasedDelivery]) {
        let bytes: usize = deliveries.iter().map(envelope_bytes).sum();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let (items, bytes) =
            (i64::try_from(deliveries.len()).unwrap_or(0), i64::try_from(bytes).unwrap_or(0));
        self.sender.metrics.lane_items.inc_by(items);
        self.sender.metrics.lane_bytes.inc_by(bytes);
    }

    fn count_out(&self, delivery: &LeasedDelivery) {
        let bytes = envelope_bytes(delivery);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.sender.metrics.lane_items.dec();
        self.sender.metrics.lane_bytes.dec_by(i64::try_from(bytes).unwrap_or(0));
    }

    /// A slot: takes one delivery after the other until the lane has none for it.
    async fn run_slot(&self, lane: Arc<Lane>, mut slot: Slot) {
        let Some(outcomes) = lock(&self.outcomes).clone() else { return lane.close_slot(slot) };
        loop {
            let target = match lane.target() {
                Some(target) => target,
                None => match self.look_up(&lane, &outcomes).await {
                    Some(target) => target,
                    None => return lane.close_slot(slot),
                },
            };
            if self.stop.soft_requested() {
                return lane.close_slot(slot);
            }
            let Some(next) = lane.next(&mut slot, self.depth()) else { return };
            if next.pull {
                self.request_pull(lane.endpoint);
            }
            let mut hand = InHand { inner: self, delivery: next.delivery, settled: false };
            let slots = if slot == Slot::First { &self.first_slots } else { &self.retry_slots };
            let Ok(_permit) = slots.acquire().await else { return lane.close_slot(slot) };
            let ends = hand.delivery.leased_at + self.lease;
            if Instant::now() + target.timeout + RECORD_MARGIN > ends {
                // Too late to finish under this lease: not sent, and due again by itself when the lease ends.
                hand.settled = true;
                self.due.at(lane.endpoint, ends);
                continue;
            }
            self.sender.metrics.in_flight.inc();
            let started = Instant::now();
            let outcome = self.sender.attempt(&hand.delivery, &target).await;
            lane.note_attempt(started.elapsed());
            self.sender.metrics.in_flight.dec();
            hand.settled = true;
            drop(hand);
            if outcomes.send(outcome).await.is_err() {
                return lane.close_slot(slot);
            }
        }
    }

    /// Looks the endpoint up, once for all slots that wait. Without a target, the lane's deliveries have been dealt with.
    async fn look_up(&self, lane: &Arc<Lane>, outcomes: &Outcomes) -> Option<Arc<Target>> {
        let _one = lane.looking_up.lock().await;
        if let Some(target) = lane.target() {
            return Some(target);
        }
        while !self.stop.soft_requested() {
            lane.clear_stale();
            match look_up(&self.db, lane.endpoint, &self.policy).await {
                Ok(Lookup::Ready(target)) => {
                    let target = Arc::new(*target);
                    lane.set_target(Arc::clone(&target));
                    return Some(target);
                }
                Ok(Lookup::Gone(reason)) => {
                    debug!(endpoint.id = %lane.endpoint, reason, "the deliveries of {} are cancelled: {reason}", lane.endpoint);
                    self.end_all(lane, outcomes, |delivery| {
                        attempt::end(delivery, DeliveryStatus::Cancelled, reason)
                    })
                    .await;
                    return None;
                }
                Ok(Lookup::Unusable(class)) => {
                    self.end_all(lane, outcomes, |delivery| self.sender.refuse(delivery, class))
                        .await;
                    return None;
                }
                Ok(Lookup::Held(why)) => {
                    error!(endpoint.id = %lane.endpoint, why, "endpoint {} cannot be sent to: {why}", lane.endpoint);
                    self.hold(lane);
                    return None;
                }
                Err(failure) => {
                    self.sender.metrics.db_error("delivery");
                    warn!(endpoint.id = %lane.endpoint, error = %failure, "looking up endpoint {} failed, again in 1 s", lane.endpoint);
                    self.stop.soft_within(Duration::from_secs(1)).await;
                }
            }
        }
        None
    }

    async fn end_all(
        &self,
        lane: &Lane,
        outcomes: &Outcomes,
        end: impl Fn(&LeasedDelivery) -> Outcome,
    ) {
        for delivery in lane.take_all() {
            self.count_out(&delivery);
            if outcomes.send(end(&delivery)).await.is_err() {
                return;
            }
        }
    }

    /// Lets go of what is queued: it is due again when its leases end.
    fn hold(&self, lane: &Lane) {
        for delivery in lane.take_all() {
            self.count_out(&delivery);
            self.due.at(lane.endpoint, delivery.leased_at + self.lease);
        }
    }

    /// Everything still queued, for a worker that stops: the leases to give back.
    pub(crate) fn take_leases(&self) -> Vec<(DeliveryId, i32)> {
        let lanes: Vec<_> = lock(&self.lanes).values().cloned().collect();
        let mut leases = std::mem::take(&mut *lock(&self.abandoned));
        for delivery in lanes.iter().flat_map(|lane| lane.take_all()) {
            self.count_out(&delivery);
            leases.push((delivery.id, delivery.lease_no));
        }
        leases
    }
}

/// A delivery in a slot's hand. Dropped unsettled, because the slot was stopped, its lease goes back.
struct InHand<'a> {
    inner: &'a Inner,
    delivery: LeasedDelivery,
    settled: bool,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.inner.count_out(&self.delivery);
        if !self.settled {
            lock(&self.inner.abandoned).push((self.delivery.id, self.delivery.lease_no));
        }
    }
}

fn envelope_bytes(delivery: &LeasedDelivery) -> usize {
    delivery.event.as_ref().map_or(0, |event| event.envelope.len())
}

/// No code of ours panics while it holds one of these locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
