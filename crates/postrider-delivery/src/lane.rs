//! One endpoint's queue in this worker, and its slots.
//!
//! First attempts and retries queue apart. Retries have slots of their own: they never take the last ones of first attempts,
//! nor can first attempts starve them. A lane keeps no more than it can start in time; the rest waits in the database.

mod gate;
mod state;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postrider_core::ids::EndpointId;
use postrider_store::deliveries::LeasedDelivery;
use tokio::sync::Notify;

pub(crate) use self::state::{Depth, Slot};
use self::state::{Gate, State, float};
use crate::limit::{Fleet, Limit, Part};
use crate::pace::whole;
use crate::slots::Slots;
use crate::target::Target;
use crate::turns::Whose;

/// What the first pull of a lane asks for, before the size of its envelopes is known.
const FIRST_PULL: usize = 64;
const MOST_PULLED: usize = 1000;
/// Attempts a second of a lane that fan-out waits for. A slower one overflows, and then nobody waits for it.
const WORTH_WAITING_FOR: f64 = 500.0;
/// What a pull may bring into memory, by the average of what came before.
const PULL_BYTES: f64 = (4 << 20) as f64;

/// A lane. Shared by its slots, the puller and fan-out.
pub(crate) struct Lane {
    pub(crate) endpoint: EndpointId,
    state: Mutex<State>,
    /// The endpoint changed: look it up again before the next attempt.
    stale: AtomicBool,
    /// One slot looks the endpoint up, the others wait for it.
    pub(crate) looking_up: tokio::sync::Mutex<()>,
    /// Signalled when the queue has become half empty.
    pub(crate) drained: Notify,
}

/// What a slot is to do next.
pub(crate) struct Next {
    pub(crate) delivery: LeasedDelivery,
    /// What kind of slot it is by now.
    pub(crate) slot: Slot,
    /// Rows wait in the database and the lane is half empty.
    pub(crate) pull: bool,
    /// The lane may open more slots by now.
    pub(crate) open: bool,
}

/// Whether an endpoint's deliveries are to flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// They do, slowly at first if they did not.
    On,
    /// They wait, to be asked about again at that time.
    From(Instant),
    /// Nothing follows from what was learned.
    AsBefore,
}

impl Lane {
    pub(crate) fn new(endpoint: EndpointId, slots: usize) -> Self {
        Self {
            endpoint,
            state: Mutex::new(State::new(slots)),
            stale: AtomicBool::new(false),
            looking_up: tokio::sync::Mutex::new(()),
            drained: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two writes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves places for fan-out, for envelopes of `bytes` bytes in all; none while rows of this endpoint wait in the
    /// database.
    pub(crate) fn reserve(&self, wanted: usize, bytes: usize, depth: Depth) -> usize {
        let envelope = float(bytes) / float(wanted.max(1));
        let mut state = self.state();
        state.note_envelope(envelope);
        if state.overflowed || !matches!(state.gate, Gate::Open) {
            return 0;
        }
        let fits = whole(float(depth.bytes_left) / envelope.max(1.0));
        let got = wanted.min(fits).min(state.room(depth));
        state.reserved += got;
        got
    }

    /// Gives places back. Returns whether rows wait in the database that had no room because of them.
    pub(crate) fn unreserve(&self, places: usize) -> bool {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(places);
        state.overflowed
    }

    /// Fills reserved places.
    pub(crate) fn fill(&self, deliveries: impl Iterator<Item = LeasedDelivery>) {
        let mut state = self.state();
        let before = state.first.len();
        state.first.extend(deliveries);
        let filled = state.first.len() - before;
        state.reserved = state.reserved.saturating_sub(filled);
        state.touched = Instant::now();
    }

    /// Rows of this endpoint were inserted as due.
    pub(crate) fn overflow(&self) {
        self.state().overflowed = true;
    }

    /// Begins a pull, if none is under way and there is room: how many to ask for.
    pub(crate) fn begin_pull(&self, depth: Depth) -> Option<usize> {
        let mut state = self.state();
        if state.pulling {
            state.pull_again = true;
            return None;
        }
        let room = state.room(depth);
        if room == 0 {
            state.overflowed = true;
            return None;
        }
        state.pulling = true;
        let fits =
            state.envelope_bytes.map_or(FIRST_PULL, |bytes| whole(PULL_BYTES / bytes.max(1.0)));
        Some(room.min(fits.clamp(1, MOST_PULLED)))
    }

    /// Ends a pull. `short`: the database has no more that is due now. Returns whether another was asked for meanwhile.
    pub(crate) fn end_pull(&self, pulled: Vec<LeasedDelivery>, short: bool) -> bool {
        let mut state = self.state();
        state.pulling = false;
        state.overflowed = !short;
        state.touched = Instant::now();
        for delivery in pulled {
            if let Some(event) = &delivery.event {
                state.note_envelope(float(event.envelope.len()));
            }
            if delivery.attempts == 0 {
                state.first.push_back(delivery)
            } else {
                state.retries.push_back(delivery)
            }
        }
        std::mem::take(&mut state.pull_again)
    }

    /// A pull failed: what is due is still there.
    pub(crate) fn fail_pull(&self) {
        let mut state = self.state();
        state.pulling = false;
        state.overflowed = true;
    }

    /// Its deliveries wait for events before theirs, still: how long to wait before it is asked again, each time twice as long.
    pub(crate) fn held_again(&self, first: Duration, most: Duration) -> Duration {
        let mut state = self.state();
        state.held_for = (state.held_for * 2).clamp(first, most);
        state.held_for
    }

    pub(crate) fn held_no_more(&self) {
        self.state().held_for = Duration::ZERO;
    }

    /// How many more slots have work to begin with; they are counted as running from here on.
    pub(crate) fn open_slots(&self, slots: &Slots) -> Vec<Slot> {
        let mut state = self.state();
        state.held_back = false;
        if state.first_running + state.retries_running == 0 {
            state.answered = Instant::now();
            state.has_answered = false;
        }
        let mut opened = Vec::new();
        while let Some(slot) = state.next_slot(opened.len(), slots) {
            state.open(slot);
            slots.opened(slot);
            opened.push(slot);
        }
        opened
    }

    /// The next delivery for a running slot, which may change its kind; `None` has closed the slot.
    pub(crate) fn next(
        &self,
        slot: &mut Option<Slot>,
        depth: Depth,
        slots: &Slots,
    ) -> Option<Next> {
        let mut state = self.state();
        let was = slot.take()?;
        state.close(was);
        let next = state.next_slot(0, slots);
        if next != Some(was) {
            slots.closed(was);
            next.inspect(|next| slots.opened(*next));
        }
        let now = next?;
        state.open(now);
        *slot = next;
        let delivery = match now {
            Slot::First => state.first.pop_front(),
            Slot::Retry => state.retries.pop_front(),
        }?;
        let half_empty = (state.awaited || state.overflowed) && !state.is_crowded(depth);
        if half_empty && std::mem::take(&mut state.awaited) {
            self.drained.notify_one();
        }
        let open = state.held_back && state.next_slot(0, slots).is_some();
        let pull = half_empty && state.overflowed && !state.pulling;
        Some(Next { delivery, slot: now, pull, open })
    }

    /// Puts a delivery back that a slot took and could not start.
    pub(crate) fn put_back(&self, delivery: LeasedDelivery) {
        let mut state = self.state();
        if delivery.attempts == 0 {
            state.first.push_front(delivery);
        } else {
            state.retries.push_front(delivery);
        }
    }

    /// Closes a slot if nothing is queued; with a delivery that came in between, it stays open.
    pub(crate) fn close_if_empty(&self, slot: &mut Option<Slot>, slots: &Slots) {
        let mut state = self.state();
        if state.first.is_empty()
            && state.retries.is_empty()
            && let Some(slot) = slot.take()
        {
            state.close(slot);
            slots.closed(slot);
        }
    }

    /// A slot ends without asking for more.
    pub(crate) fn close_slot(&self, slot: Slot, slots: &Slots) {
        self.state().close(slot);
        slots.closed(slot);
    }

    /// An attempt that took so long has ended.
    pub(crate) fn note_attempt(&self, took: Duration, ended: Instant) {
        let mut state = self.state();
        state.speed.note(took);
        state.answered = ended;
        state.has_answered = true;
    }

    /// The endpoint, unless it has to be looked up (again).
    pub(crate) fn target(&self) -> Option<Arc<Target>> {
        if self.stale.load(Ordering::Acquire) {
            return None;
        }
        let target = self.state().target.clone()?;
        target.valid_until.is_none_or(|until| Instant::now() < until).then_some(target)
    }

    /// The endpoint as it was last read, however long ago.
    pub(crate) fn last_target(&self) -> Option<Arc<Target>> {
        self.state().target.clone()
    }

    /// Takes the endpoint as it is now, and this worker's part of what it allows. False: it has none, the endpoint is for others.
    pub(crate) fn set_target(&self, target: Arc<Target>, fleet: Fleet) -> bool {
        let (cap, part) = parts(&target, fleet);
        let mut state = self.state();
        let most = target.share.as_ref().map_or(usize::MAX, |share| share.slots());
        state.slots = part.max(1).min(most);
        // Those that have no part of the requests in flight leave theirs of the rate to the others.
        let workers = fleet.workers.min(cap).max(1);
        let rate = target.rate_limit.map(|rate| Part { rate, workers });
        if state.limit.as_ref().map(|limit| limit.part()) != rate {
            state.limit = rate.map(|part| Arc::new(Limit::new(part)));
        }
        state.target = Some(target);
        part > 0
    }

    /// On whose behalf it sends; before its endpoint was read, on nobody's but its own.
    pub(crate) fn whose(&self) -> Whose {
        let unknown = Whose { tenant: self.endpoint.0.as_u64_pair().1, endpoint: self.endpoint };
        self.state().target.as_ref().map_or(unknown, |target| target.whose)
    }

    /// Whether its endpoint or its tenant is limited to so many requests a second, or may be.
    pub(crate) fn is_paced(&self) -> bool {
        let state = self.state();
        state.limit.is_some() || state.target.as_ref().is_some_and(|target| target.share.is_some())
    }

    pub(crate) fn limit(&self) -> Option<Arc<Limit>> {
        self.state().limit.clone()
    }

    /// Marks the endpoint as to be looked up; done before the look-up, so that a change in the middle of it is not lost.
    pub(crate) fn clear_stale(&self) {
        self.stale.store(false, Ordering::Release);
    }

    pub(crate) fn mark_stale(&self) {
        self.stale.store(true, Ordering::Release);
        let mut state = self.state();
        if std::mem::take(&mut state.left) {
            // It may have a part in it by now: the next look lets one delivery in, for which the endpoint is read.
            state.held_until = None;
        }
    }

    /// The tenant and version of the endpoint in use.
    pub(crate) fn version(&self) -> Option<(String, i64)> {
        self.state().target.as_ref().map(|target| (target.tenant.clone(), target.version))
    }

    /// Takes what is more than the lane should hold, the last ones first.
    pub(crate) fn take_surplus(&self, depth: Depth) -> Vec<LeasedDelivery> {
        let mut state = self.state();
        let keep = state.depth(depth).saturating_sub(state.retries.len());
        let keep = keep.min(state.first.len());
        state.first.split_off(keep).into()
    }

    /// Empties the queue.
    pub(crate) fn take_all(&self) -> Vec<LeasedDelivery> {
        let mut state = self.state();
        let State { first, retries, .. } = &mut *state;
        first.drain(..).chain(retries.drain(..)).collect()
    }

    /// Whether rows of this endpoint wait in the database.
    pub(crate) fn is_overflowed(&self) -> bool {
        self.state().overflowed
    }

    pub(crate) fn queued(&self) -> usize {
        let state = self.state();
        state.first.len() + state.retries.len()
    }

    /// Nothing queued, reserved, running or waiting, and that for a while.
    pub(crate) fn is_idle(&self, since: Duration) -> bool {
        let state = self.state();
        state.first.is_empty()
            && state.retries.is_empty()
            && state.reserved + state.first_running + state.retries_running == 0
            && !state.pulling
            && !state.overflowed
            && state.touched.elapsed() >= since
    }

    /// Nothing is in hand, and its deliveries wait in the database for their endpoint to be well.
    pub(crate) fn is_waiting(&self) -> bool {
        let state = self.state();
        matches!(state.gate, Gate::Shut { until } if until > Instant::now())
            && state.first.is_empty()
            && state.retries.is_empty()
            && state.reserved + state.first_running + state.retries_running == 0
            && !state.pulling
    }

    /// Whether it is more than half full.
    pub(crate) fn is_crowded(&self, depth: Depth) -> bool {
        self.state().is_crowded(depth)
    }

    /// Whether the lane is crowded and drains quickly, so that waiting for it beats going through the database. If so, `drained`
    /// is signalled when half of it is free.
    pub(crate) fn is_worth_waiting_for(&self, depth: Depth) -> bool {
        let mut state = self.state();
        let fast = state.speed.rate(state.slots).is_none_or(|rate| rate >= WORTH_WAITING_FOR);
        state.awaited = !state.overflowed && state.is_crowded(depth) && fast && !state.is_stuck();
        state.awaited
    }
}

/// How many requests may be in flight to an endpoint from all workers, and this worker's part of them. Where its tenant has fewer
/// than there are workers, the same workers serve all of its endpoints: else those with a part of the one might have none of the other.
fn parts(target: &Target, fleet: Fleet) -> (usize, usize) {
    let whole = |cap: u32| usize::try_from(cap).unwrap_or(usize::MAX);
    let tenant = target.tenant_limits.in_flight.map(whole).filter(|cap| *cap < fleet.workers);
    match tenant {
        Some(cap) => {
            let cap = cap.min(target.in_flight);
            let part = fleet.part(target.in_flight, target.whose.tenant);
            (cap, if fleet.part(cap, target.whose.tenant) > 0 { part.max(1) } else { 0 })
        }
        None => {
            let turn = target.whose.endpoint.0.as_u64_pair().1;
            (target.in_flight, fleet.part(target.in_flight, turn))
        }
    }
}

#[cfg(test)]
mod tests;
