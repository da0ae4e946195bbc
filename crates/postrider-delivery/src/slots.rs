//! The worker's slots: how many attempts run at once in all lanes together, first ones and retries apart.
//!
//! A lane that is not known to be fast opens slots in proportion to those that are free, and each lane may open one. So
//! endpoints that hang leave room for the others, however many they are, and nobody has to know beforehand which will. Where
//! there are more lanes than slots, they take turns, tenant by tenant.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lane::Slot;
use crate::turns::{Room, Turn, Turns, Whose};

/// The slots of one worker.
pub(crate) struct Slots {
    /// As many as the configuration says.
    own: Room,
    /// Opened by lanes, at work or about to be; more than there are when very many lanes have work.
    first: AtomicUsize,
    retries: AtomicUsize,
    turns: Turns,
}

/// A slot that waits for something else than its turn, and does not count as open until this is dropped.
pub(crate) struct Aside<'a>(&'a Slots, Slot);

impl Slots {
    pub(crate) fn new(first: usize, retries: usize) -> Self {
        let size = |size: usize| u32::try_from(size.max(1)).unwrap_or(u32::MAX);
        let own = Room::apart(size(first), size(retries));
        let (first, retries) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { own, first, retries, turns: Turns::new(own) }
    }

    /// No more than so many in all from now on; `None`: as many as the configuration says.
    pub(crate) fn limit(&self, all: Option<u32>) {
        self.turns.resize(all.map_or(self.own, |all| self.own.within(all)));
    }

    fn open(&self, slot: Slot) -> &AtomicUsize {
        match slot {
            Slot::First => &self.first,
            Slot::Retry => &self.retries,
        }
    }

    /// How many of the `wanted` slots a lane may have that is not known to be fast; at least one.
    pub(crate) fn share(&self, slot: Slot, wanted: usize) -> usize {
        let size = usize::try_from(self.turns.room().of(slot)).unwrap_or(usize::MAX).max(1);
        let free = size.saturating_sub(self.open(slot).load(Ordering::Relaxed));
        (wanted * free).div_ceil(size).max(1)
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn all_open(&self) -> usize {
        self.first.load(Ordering::Relaxed) + self.retries.load(Ordering::Relaxed)
    }

    pub(crate) fn opened(&self, slot: Slot) {
        self.open(slot).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self, slot: Slot) {
        self.open(slot).fetch_sub(1, Ordering::Relaxed);
    }

    /// An open slot waits for something that is no slot: others may have its part meanwhile.
    pub(crate) fn aside(&self, slot: Slot) -> Aside<'_> {
        self.closed(slot);
        Aside(self, slot)
    }

    /// The permit to make an attempt.
    pub(crate) async fn permit(&self, whose: Whose, slot: Slot) -> Turn<'_> {
        self.turns.pass(whose, slot).await
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.opened(self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lanes get that open ten slots each, one lane after the other, when nothing comes back.
    fn opened_by(lanes: usize) -> Vec<usize> {
        let slots = Slots::new(512, 128);
        (0..lanes)
            .map(|_| {
                let mut running = 0;
                while running < slots.share(Slot::First, 10).min(10) {
                    slots.opened(Slot::First);
                    running += 1;
                }
                running
            })
            .collect()
    }

    #[test]
    fn one_endpoint_gets_all_it_may_have() {
        assert_eq!(opened_by(1), [10]);
    }

    #[test]
    fn a_hundred_hanging_endpoints_leave_slots_to_the_others() {
        let taken: usize = opened_by(100).iter().sum();
        assert!((400..480).contains(&taken), "{taken} of 512");
    }

    #[test]
    fn every_lane_gets_a_slot() {
        assert!(opened_by(2000).iter().all(|slots| *slots >= 1));
    }

    #[test]
    fn a_limit_on_everybody_holds_for_both_kinds_and_leaves_half_to_first_attempts() {
        let slots = Slots::new(512, 128);
        slots.limit(Some(20));
        assert_eq!(slots.turns.room(), Room { first: 20, retries: 10, all: 20 });
        assert_eq!(slots.share(Slot::First, 10), 10);
        slots.limit(Some(10_000));
        assert_eq!(slots.turns.room(), Room::apart(512, 128));
        slots.limit(None);
        assert_eq!(slots.turns.room(), Room::apart(512, 128));
    }
}
