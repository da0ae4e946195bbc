//! All lanes of this worker: who may have room, and the slots that empty them.
//! Fan-out reserves and fills; the puller fills from the database; slots send and pass outcomes to the recorder.

mod conclusions;
mod endpoint;
mod fleet;
mod pressure;
mod slot;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_runtime::Stop;
use postrider_store::Db;
use postrider_store::deliveries::LeasedDelivery;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::attempt::Sender;
use crate::batch::{Batching, Unrecorded};
use crate::due::Due;
use crate::health::Reports;
use crate::lane::{Depth, Lane};
use crate::limit::Fleet;
use crate::recorder::Outcomes;
use crate::shares::{Limits, Rate, Shares};
use crate::slots::Slots;
use crate::target::TargetPolicy;

/// What recording an outcome may take; an attempt starts only while its lease covers the attempt and this.
pub(crate) const RECORD_MARGIN: Duration = Duration::from_secs(5);
/// The row's lease ends a little after ours, which is counted from before the statement was sent.
const AFTER_LEASE: Duration = Duration::from_secs(1);

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
    pub(crate) shares: Shares,
    /// What all tenants together may do at once.
    pub(crate) limits: Limits,
    /// This worker's part of the requests a second, if they are limited.
    pub(crate) rate: Option<Rate>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: Stop,
    pub(crate) due: Due,
    /// The endpoints whose deliveries go in batches.
    pub(crate) batching: Batching,
    pub(crate) unrecorded: Unrecorded,
    pub(crate) reports: Reports,
    /// From before the last look at which no endpoint in use had changed unnoticed.
    pub(crate) confirmed: Mutex<Instant>,
    /// This worker among those that deliver.
    pub(crate) fleet: Mutex<Fleet>,
    /// The other workers are about to be told of deliveries that are theirs.
    pub(crate) telling: AtomicBool,
    pub(crate) pulls: mpsc::UnboundedSender<EndpointId>,
    pub(crate) outcomes: Mutex<Option<Outcomes>>,
    pub(crate) lanes: Mutex<HashMap<EndpointId, Arc<Lane>>>,
    /// The lanes that the last hand-off left crowded, for [`Lanes::pace`].
    pub(crate) crowded: Mutex<Vec<Arc<Lane>>>,
    pub(crate) bytes: AtomicUsize,
    /// One at a time gives leases back.
    pub(crate) releasing: tokio::sync::Mutex<()>,
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
        let lane = self.0.lane(endpoint);
        lane.overflow();
        self.0.batching.stir(endpoint);
        self.0.request_pull(endpoint);
        if lane.is_left() {
            self.0.tell_others();
        }
    }

    /// Deliveries of this endpoint were inserted as due, too few for a batch. Unlike those of [`Lanes::overflowed`] they wait for
    /// company, so what comes meanwhile need not wait behind them.
    pub fn gathering(&self, endpoint: EndpointId) {
        let lane = self.0.lane(endpoint);
        self.0.request_pull(endpoint);
        if lane.is_left() {
            self.0.tell_others();
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
        let most = self.rate.as_ref().and_then(|rate| {
            let lanes = lock(&self.lanes).len();
            // Short enough for any endpoint's time-out, of which each lane knows only its own.
            rate.depth(lanes, self.lease / 3)
        });
        let most = most.unwrap_or(usize::MAX);
        Depth { floor: self.floor, lease: self.lease, most, bytes_left }
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

    /// Everything still queued, for a worker that stops: the leases to give back.
    pub(crate) fn take_leases(&self) -> Vec<(DeliveryId, i32)> {
        let lanes: Vec<_> = lock(&self.lanes).values().cloned().collect();
        let mut leases = std::mem::take(&mut *lock(&self.abandoned));
        for delivery in lanes.iter().flat_map(|lane| lane.take_all()) {
            self.count_out(&delivery);
            leases.extend(delivery.leases());
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
