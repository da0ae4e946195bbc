//! What a lane holds and what runs in it, and how much of both there may be. Decides; the lane does it, under its lock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_store::deliveries::LeasedDelivery;

use crate::lanes::RECORD_MARGIN;
use crate::limit::Limit;
use crate::pace::{Speed, whole};
use crate::slots::Slots;
use crate::target::Target;

/// A lane that is not known to be fast holds no more than this part of the memory that is left, so that a few endpoints that
/// hang never fill it.
const BYTES_PART: usize = 64;
/// What an envelope is taken for before any was seen.
const UNKNOWN_ENVELOPE: f64 = (64 << 10) as f64;

/// What an attempt may take before its endpoint was looked up.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A lane whose attempts are under way for so long without an answer is not fast, whatever it was before: its endpoint may have
/// begun to hang. Besides, twice as long as an attempt takes on average.
const STUCK_AFTER: Duration = Duration::from_millis(100);

/// Until then it may only have paused, and keeps what it may hold; after that the time without an answer is what an attempt takes.
const HANGS_AFTER: Duration = Duration::from_millis(500);

/// How long after it was leased a delivery may be started, less a fifth: the whole attempt and its recording have to fit in.
fn startable(lease: Duration, timeout: Duration) -> Duration {
    lease.saturating_sub(timeout + RECORD_MARGIN).mul_f64(0.8)
}

/// Which kind of slot an attempt runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    First,
    Retry,
}

/// What the lane's depth is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    pub(crate) floor: usize,
    pub(crate) lease: Duration,
    /// What a lane has at most where the requests of all together are limited.
    pub(crate) most: usize,
    /// Memory that all lanes together have left.
    pub(crate) bytes_left: usize,
}

/// Whether deliveries flow.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gate {
    Open,
    /// They wait in the database; to be asked about again at that time.
    Shut {
        until: Instant,
    },
    /// One of them is tried.
    Probing,
}

/// How many may be in flight after a recovery: doubled whenever as many have succeeded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ramp {
    pub(super) limit: usize,
    pub(super) successes: usize,
}

impl Ramp {
    pub(super) const START: Self = Self { limit: 1, successes: 0 };
}

/// Everything about a lane that changes.
pub(super) struct State {
    pub(super) first: VecDeque<LeasedDelivery>,
    pub(super) retries: VecDeque<LeasedDelivery>,
    /// Places promised to fan-out.
    pub(super) reserved: usize,
    pub(super) first_running: usize,
    pub(super) retries_running: usize,
    /// The slot that was opened last is for a retry.
    pub(super) retry_was_last: bool,
    /// Rows wait in the database: hand-off rests until a pull comes back short.
    pub(super) overflowed: bool,
    pub(super) pulling: bool,
    /// Asked to pull while a pull was under way.
    pub(super) pull_again: bool,
    /// A moving average of envelope sizes, for pulls that fit into memory.
    pub(super) envelope_bytes: Option<f64>,
    /// Fan-out waits for room.
    pub(super) awaited: bool,
    pub(super) target: Option<Arc<Target>>,
    pub(super) slots: usize,
    pub(super) speed: Speed,
    /// This worker's part of the endpoint's rate, if it has one.
    pub(super) limit: Option<Arc<Limit>>,
    /// How long is waited before it is asked again for what waits for events before its own.
    pub(super) held_for: Duration,
    /// It would have opened more slots, had the others left more.
    pub(super) held_back: bool,
    pub(super) gate: Gate,
    /// What keeps the gate shut is this worker's own trouble, and lasts until then.
    pub(super) held_until: Option<Instant>,
    /// It is shut because this worker has no part of what the endpoint allows.
    pub(super) left: bool,
    pub(super) ramp: Option<Ramp>,
    /// Failures since the last success, as far as this worker knows.
    pub(super) failures: u32,
    /// Its record is not clean, so successes are worth a report.
    pub(super) unwell: bool,
    /// When something was last learned about its endpoint's health, by the count of `Reports`.
    pub(super) learned: u64,
    pub(super) touched: Instant,
    /// When an attempt last came back, or the first of those under way began.
    pub(super) answered: Instant,
    /// One has come back since there was last none under way.
    pub(super) has_answered: bool,
}

impl State {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            first: VecDeque::new(),
            retries: VecDeque::new(),
            reserved: 0,
            first_running: 0,
            retries_running: 0,
            retry_was_last: false,
            overflowed: false,
            pulling: false,
            pull_again: false,
            envelope_bytes: None,
            awaited: false,
            target: None,
            slots,
            speed: Speed::default(),
            limit: None,
            held_for: Duration::ZERO,
            held_back: false,
            gate: Gate::Open,
            held_until: None,
            left: false,
            ramp: None,
            failures: 0,
            unwell: false,
            learned: 0,
            touched: Instant::now(),
            answered: Instant::now(),
            has_answered: false,
        }
    }

    /// Whether its endpoint is known to answer quickly, and still does.
    pub(super) fn is_fast(&self) -> bool {
        self.speed.is_fast() && !self.is_stuck()
    }

    /// How fast it is, as far as is known by now.
    fn speed(&self) -> Speed {
        if self.running() == 0 {
            return self.speed;
        }
        let quiet = self.answered.elapsed();
        if quiet > HANGS_AFTER { self.speed.at_best(quiet) } else { self.speed }
    }

    /// Whether attempts are under way and none comes back.
    pub(super) fn is_stuck(&self) -> bool {
        self.running() > 0
            && self.answered.elapsed() > STUCK_AFTER + self.speed.average().saturating_mul(2)
    }

    pub(super) fn depth(&self, depth: Depth) -> usize {
        let timeout = self.target.as_ref().map_or(LONGEST_TIMEOUT, |target| target.timeout);
        let startable = startable(depth.lease, timeout);
        let share = self.target.as_ref().and_then(|target| target.share.as_ref());
        let (most, shared) = match share {
            None => (self.speed().depth(self.slots, depth.floor, depth.lease), None),
            Some(share) => {
                // The tenant's lanes have what it is limited to together: each is counted by the target that it keeps.
                let lanes = Arc::strong_count(share);
                let slots = share.slots().div_ceil(lanes).min(self.slots);
                let most = self.speed().depth(slots, depth.floor, depth.lease);
                (most, share.depth(lanes, startable))
            }
        };
        let most = most.min(depth.most);
        let own = self
            .limit
            .as_ref()
            .map(|limit| whole(limit.part().rate() * startable.as_secs_f64()).max(1));
        match [own, shared].into_iter().flatten().min() {
            // What slots have in hand waits for its turn at the rate too.
            Some(paced) => most.min(paced.saturating_sub(self.running())),
            None => most,
        }
    }

    pub(super) fn free(&self, depth: Depth) -> usize {
        self.depth(depth).saturating_sub(self.held())
    }

    /// Whether it is more than half full.
    pub(super) fn is_crowded(&self, depth: Depth) -> bool {
        self.free(depth) * 2 < self.depth(depth)
    }

    pub(super) fn note_envelope(&mut self, bytes: f64) {
        self.envelope_bytes =
            Some(self.envelope_bytes.map_or(bytes, |average| average + (bytes - average) / 8.0));
    }

    /// How many more deliveries may come in, as far as memory goes too.
    pub(super) fn room(&self, depth: Depth) -> usize {
        match self.gate {
            Gate::Open => {}
            Gate::Shut { .. } => return 0,
            Gate::Probing => return 1_usize.saturating_sub(self.held() + self.running()),
        }
        let free = self.free(depth);
        if self.is_fast() {
            return free;
        }
        let envelope = self.envelope_bytes.unwrap_or(UNKNOWN_ENVELOPE).max(1.0);
        let most = whole(float(depth.bytes_left / BYTES_PART) / envelope).max(1);
        free.min(most.saturating_sub(self.held()))
    }

    fn held(&self) -> usize {
        self.first.len() + self.retries.len() + self.reserved
    }

    fn running(&self) -> usize {
        self.first_running + self.retries_running
    }

    /// How many may be in flight just now.
    fn limit(&self) -> usize {
        match (self.gate, self.ramp) {
            (Gate::Shut { .. }, _) => 0,
            (Gate::Probing, _) => 1,
            (Gate::Open, Some(ramp)) => ramp.limit.min(self.slots),
            (Gate::Open, None) => self.slots,
        }
    }

    /// Half of the slots, at least one.
    fn retry_slots(&self) -> usize {
        (self.slots / 2).max(1)
    }

    /// Which queue the next attempt comes from, with `opening` slots opened but not yet at work.
    pub(super) fn next_slot(&mut self, opening: usize, slots: &Slots) -> Option<Slot> {
        if self.running() >= self.limit() {
            return None;
        }
        let waiting = self.first.len() + self.retries.len();
        if waiting <= opening {
            return None;
        }
        let (mut most, mut most_retries) = (self.slots, self.retry_slots());
        // Many endpoints may have begun to hang while nothing was sent to them: each shows first that it still answers.
        let fast = self.has_answered && self.is_fast();
        if !fast {
            most = slots.share(Slot::First, most);
            most_retries = slots.share(Slot::Retry, most_retries);
        }
        let retry = !self.retries.is_empty() && self.retries_running < most_retries;
        let first = !self.first.is_empty() && self.first_running < most;
        // A single slot is for both by turns: neither waits until the other has nothing left.
        let first_is_due = self.retry_was_last && self.limit() == 1;
        match (retry, first) {
            (true, true) if first_is_due => Some(Slot::First),
            (true, _) => Some(Slot::Retry),
            (false, true) => Some(Slot::First),
            (false, false) => {
                self.held_back |= !fast;
                None
            }
        }
    }

    pub(super) fn open(&mut self, slot: Slot) {
        self.retry_was_last = slot == Slot::Retry;
        match slot {
            Slot::First => self.first_running += 1,
            Slot::Retry => self.retries_running += 1,
        }
    }

    pub(super) fn close(&mut self, slot: Slot) {
        match slot {
            Slot::First => self.first_running = self.first_running.saturating_sub(1),
            Slot::Retry => self.retries_running = self.retries_running.saturating_sub(1),
        }
    }
}

/// Sizes beyond 4 GiB count as that.
pub(super) fn float(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX))
}
