//! All lanes of this worker: who may have room, and the slots that empty them.
//! Fan-out reserves and fills; the puller fills from the database; slots send and pass outcomes to the recorder.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postrider_core::health::{Finding, Report};
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use postrider_runtime::{Pacer, Stop};
use postrider_store::deliveries::LeasedDelivery;
use postrider_store::{Db, ErrorKind, deliveries};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use crate::attempt::{self, Attempted, Sender};
use crate::due::Due;
use crate::health::Reports;
use crate::hold::{InHand, Seat};
use crate::lane::{Depth, Lane, Slot};
use crate::limit::Limit;
use crate::recorder::{Outcome, Outcomes};
use crate::slots::Slots;
use crate::target::{Lookup, Target, TargetPolicy, look_up};

/// What recording an outcome may take; an attempt starts only while its lease covers the attempt and this.
const RECORD_MARGIN: Duration = Duration::from_secs(5);
/// What no attempt may take of a lease, so that there is time to start one.
const LEASE_SLACK: Duration = Duration::from_secs(10);
/// The row's lease ends a little after ours, which is counted from before the statement was sent.
const AFTER_LEASE: Duration = Duration::from_secs(1);
/// Nothing starts in a lane before its health was judged, and asked for if that takes longer.
const UNJUDGED: Duration = Duration::from_secs(1);
const RELEASE_CHUNK: usize = 1000;
/// How long an endpoint is taken for unchanged without another look; less than `CHANGE_SETTLES` of the store.
const TRUSTED: Duration = Duration::from_secs(2);
/// The longest that fan-out waits for a lane to drain, a batch.
const PACE: Duration = Duration::from_millis(100);

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
    pub(crate) slots: Slots,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: Stop,
    pub(crate) due: Due,
    pub(crate) reports: Reports,
    /// From before the last look at which no endpoint in use had changed unnoticed.
    pub(crate) confirmed: Mutex<Instant>,
    /// Workers that deliver, this one among them.
    pub(crate) workers: AtomicUsize,
    pub(crate) pulls: mpsc::UnboundedSender<EndpointId>,
    pub(crate) outcomes: Mutex<Option<Outcomes>>,
    pub(crate) lanes: Mutex<HashMap<EndpointId, Arc<Lane>>>,
    /// The lanes that the last hand-off left crowded, for [`Lanes::pace`].
    pub(crate) crowded: Mutex<Vec<Arc<Lane>>>,
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
        if self.0.stop.soft_requested() {
            return 0;
        }
        self.0.lane(endpoint).reserve(wanted, bytes, self.0.depth())
    }

    /// Gives places back.
    pub fn unreserve(&self, endpoint: EndpointId, places: usize) {
        if self.0.lane(endpoint).unreserve(places) {
            self.0.request_pull(endpoint);
        }
    }

    /// Fills reserved places with committed deliveries that are leased to this worker.
    pub fn hand_off(&self, deliveries: Vec<LeasedDelivery>) {
        self.0.count_in(&deliveries);
        let depth = self.0.depth();
        let mut crowded = Vec::new();
        let mut rest = deliveries.into_iter().peekable();
        while let Some(endpoint) = rest.peek().map(|delivery| delivery.endpoint) {
            let lane = self.0.lane(endpoint);
            lane.fill(std::iter::from_fn(|| {
                rest.next_if(|delivery| delivery.endpoint == endpoint)
            }));
            self.0.open_slots(&lane);
            if lane.shut_until().is_some() {
                self.0.let_go(&lane);
            }
            if lane.is_crowded(depth) {
                crowded.push(lane);
            }
        }
        *lock(&self.0.crowded) = crowded;
    }

    /// Deliveries of this endpoint were inserted as due.
    pub fn overflowed(&self, endpoint: EndpointId) {
        self.0.lane(endpoint).overflow();
        self.0.request_pull(endpoint);
    }

    /// Waits, 100 ms at most, while lanes filled last are crowded but drain quickly.
    pub async fn pace(&self) {
        let until = Instant::now() + PACE;
        let crowded = std::mem::take(&mut *lock(&self.0.crowded));
        for lane in crowded {
            // A signal may be left over from an earlier wait that ran out of time.
            while lane.is_worth_waiting_for(self.0.depth()) {
                if tokio::time::timeout_at(until.into(), lane.drained.notified()).await.is_err() {
                    return;
                }
            }
        }
    }

    /// How many deliveries are queued or were given up, and belong to this worker until their leases end.
    #[must_use]
    pub fn held(&self) -> usize {
        let queued: usize = lock(&self.0.lanes).values().map(|lane| lane.queued()).sum();
        queued + lock(&self.0.abandoned).len()
    }

    /// Nothing is queued, in flight, being pulled or known to wait, but for endpoints that are not well.
    #[must_use]
    pub fn are_quiet(&self) -> bool {
        let quiet = |lane: &Arc<Lane>| lane.is_idle(Duration::ZERO) || lane.is_waiting();
        lock(&self.0.lanes).values().all(quiet)
    }

    /// Whether an endpoint's deliveries wait until it is well, due or not.
    #[must_use]
    pub fn is_waiting(&self, endpoint: EndpointId) -> bool {
        lock(&self.0.lanes).get(&endpoint).is_some_and(|lane| lane.is_waiting())
    }
}

impl Inner {
    pub(crate) fn depth(&self) -> Depth {
        let bytes_left = self.byte_budget.saturating_sub(self.bytes.load(Ordering::Relaxed));
        Depth { floor: self.floor, lease: self.lease, bytes_left }
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
        for slot in lane.open_slots(&self.slots) {
            let (inner, lane) = (Arc::clone(self), Arc::clone(lane));
            self.tasks.spawn(async move {
                let stop = inner.stop.clone();
                tokio::select! {
                    biased;
                    () = stop.hard() => {}
                    () = inner.run_slot(&lane, slot) => {}
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

    /// Counts the envelope of a delivery that leaves them.
    pub(crate) fn count_out(&self, delivery: &LeasedDelivery) {
        let bytes = envelope_bytes(delivery);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.sender.metrics.lane_items.dec();
        self.sender.metrics.lane_bytes.dec_by(i64::try_from(bytes).unwrap_or(0));
    }

    /// A slot: takes one delivery after the other until the lane has none for it.
    async fn run_slot(self: &Arc<Self>, lane: &Arc<Lane>, slot: Slot) {
        let mut seat = Seat { lane, slots: &self.slots, slot: Some(slot) };
        let Some(outcomes) = lock(&self.outcomes).clone() else { return };
        while seat.slot.is_some() {
            let target = match self.current(lane) {
                Some(target) => target,
                None => match self.look_up(lane, &outcomes).await {
                    Some(target) => target,
                    None if self.stop.soft_requested() => return,
                    None => {
                        lane.close_if_empty(&mut seat.slot, &self.slots);
                        continue;
                    }
                },
            };
            if self.stop.soft_requested() {
                return;
            }
            let Some(next) = lane.next(&mut seat.slot, self.depth(), &self.slots) else { return };
            if next.pull {
                self.request_pull(lane.endpoint);
            }
            if next.open {
                self.open_slots(lane);
            }
            let mut hand = InHand::new(self, next.delivery);
            let limited = match lane.limit() {
                Some(limit) => self.wait_for_turn(&limit).await,
                None => false,
            };
            let (_permit, waited) = self.slots.permit(next.slot).await;
            if waited || limited {
                if self.stop.soft_requested() {
                    return;
                }
                if self.current(lane).is_none() || lane.shut_until().is_some() {
                    hand.put_back(lane);
                    if lane.shut_until().is_some() {
                        self.let_go(lane);
                    }
                    continue;
                }
            }
            let ends = hand.delivery.leased_at + self.lease;
            if Instant::now() + target.timeout + RECORD_MARGIN > ends {
                // Too late to finish under this lease: not sent, and due again by itself when the lease ends.
                hand.settled = true;
                self.due.at(lane.endpoint, ends + AFTER_LEASE);
                continue;
            }
            hand.in_flight(true);
            let started = Instant::now();
            let attempted = self.sender.attempt(&hand.delivery, &target).await;
            lane.note_attempt(started.elapsed());
            hand.in_flight(false);
            // What ends after its lease is out of date (this process stood still), for the endpoint's health as for the row.
            if Instant::now() < ends || lane.is_probing() {
                self.note_health(lane, &hand.delivery, &attempted);
            }
            if outcomes.send(attempted.outcome).await.is_err() {
                return;
            }
            hand.settled = true;
        }
    }

    /// Waits for the right to make one request; whether it had to, in which time much may have changed.
    async fn wait_for_turn(&self, limit: &Limit) -> bool {
        let mut waited = false;
        while let Err(wait) = limit.take() {
            waited = true;
            if self.stop.soft_requested() {
                break;
            }
            self.stop.soft_within(wait).await;
        }
        waited
    }

    /// Draws the conclusions of an attempt: at once for this worker's lane, by a report for everybody.
    fn note_health(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        delivery: &LeasedDelivery,
        attempted: &Attempted,
    ) {
        let (endpoint, now, probe) = (lane.endpoint, Instant::now(), lane.is_probing());
        if probe {
            // One at a time: the next one after this one was judged.
            lane.shut(now + UNJUDGED);
        }
        if attempt::is_trial(delivery) {
            if probe {
                self.reports.give_back(endpoint, Duration::ZERO);
            }
            return;
        }
        if let Some(reason) = attempted.disable {
            self.reports.disable(endpoint, reason);
            lane.shut(now + UNJUDGED);
            self.let_go(lane);
            return;
        }
        let report = Report { probe, ..Report::default() };
        match attempted.finding {
            Finding::Well => {
                let (tell, grown) = lane.note_success();
                if tell {
                    self.reports.report(endpoint, Report { succeeded: true, ..report });
                }
                if grown {
                    self.open_slots(lane);
                }
            }
            Finding::Failed => {
                self.reports.report(endpoint, Report { failures: 1, ..report });
                if lane.note_failure(self.reports.policy.open_after) {
                    lane.shut(now + UNJUDGED);
                    self.let_go(lane);
                }
            }
            Finding::Paused(wait) => {
                let pause_until = self.sender.clock.now().saturating_add(wait).ok();
                self.reports.report(endpoint, Report { pause_until, ..report });
                lane.shut(now + wait);
                self.let_go(lane);
            }
            Finding::Nothing if probe => {
                self.reports.give_back(endpoint, self.reports.policy.probe_after);
            }
            Finding::Nothing => {}
        }
    }

    /// Gives back what a lane has queued, untouched and due at once, for its endpoint is to be left alone.
    pub(crate) fn let_go(self: &Arc<Self>, lane: &Lane) {
        let taken = lane.take_all();
        if taken.is_empty() {
            return;
        }
        lane.overflow();
        taken.iter().for_each(|delivery| self.count_out(delivery));
        if let Some(until) = lane.shut_until() {
            self.due.at(lane.endpoint, until);
        }
        let leases: Vec<_> = taken.iter().map(|d| (d.id, d.lease_no)).collect();
        let (inner, endpoint) = (Arc::clone(self), lane.endpoint);
        self.tasks.spawn(async move {
            for chunk in leases.chunks(RELEASE_CHUNK) {
                if let Err(failure) = deliveries::release(&inner.db, inner.owner, chunk).await {
                    inner.sender.metrics.db_error("delivery");
                    debug!(endpoint.id = %endpoint, error = %failure, "leases of {endpoint} end by themselves");
                }
            }
        });
    }

    /// The endpoint, if it was read or found unchanged a moment ago. So nothing starts once a change is older than that, though
    /// nobody told this worker and it cannot look; who disables an endpoint waits for that long before he answers.
    fn current(&self, lane: &Lane) -> Option<Arc<Target>> {
        let confirmed = *lock(&self.confirmed);
        lane.target().filter(|target| target.read_at.max(confirmed).elapsed() < TRUSTED)
    }

    /// Looks the endpoint up, once for all slots that wait. Without a target, the lane's deliveries have been dealt with.
    async fn look_up(&self, lane: &Arc<Lane>, outcomes: &Outcomes) -> Option<Arc<Target>> {
        let _one = lane.looking_up.lock().await;
        if let Some(target) = self.current(lane) {
            return Some(target);
        }
        let mut pacer = Pacer::new(Duration::from_millis(250), Duration::from_secs(5));
        // Another slot may have dealt with everything while this one waited.
        while lane.queued() > 0 && !self.stop.soft_requested() {
            lane.clear_stale();
            let before = lane.last_target();
            match look_up(&self.db, lane.endpoint, &self.policy, before.as_deref()).await {
                Ok(Lookup::Ready(mut target)) => {
                    let longest = self.lease.saturating_sub(LEASE_SLACK);
                    if target.timeout > longest {
                        warn!(endpoint.id = %lane.endpoint, "attempts to {} end after {longest:?}, before its own time-out: the lease is too short for that", lane.endpoint);
                        target.timeout = longest;
                    }
                    let target = Arc::new(*target);
                    lane.set_target(Arc::clone(&target), self.workers.load(Ordering::Relaxed));
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
                Ok(Lookup::Unusable(class, rule)) => {
                    let refuse = |delivery: &_| self.sender.refuse(delivery, class, rule);
                    self.end_all(lane, outcomes, refuse).await;
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
            if outcomes.send(end(&hand.delivery)).await.is_ok() {
                hand.settled = true;
            }
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

fn envelope_bytes(delivery: &LeasedDelivery) -> usize {
    delivery.event.as_ref().map_or(0, |event| event.envelope.len())
}

/// No code of ours panics while it holds one of these locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
