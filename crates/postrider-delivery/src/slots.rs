//! The worker's slots: how many attempts run at once in all lanes together, first ones and retries apart.
//!
//! A lane that is not known to be fast opens slots in proportion to those that are free, and each lane may open one. So
//! endpoints that hang leave room for the others, however many they are, and nobody has to know beforehand which will.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::lane::Slot;

/// The slots of one worker.
pub(crate) struct Slots {
    first: Pool,
    retries: Pool,
}

/// The slots of one kind.
struct Pool {
    size: usize,
    /// Opened by lanes, at work or about to be; more than `size` when very many lanes have work.
    open: AtomicUsize,
    permits: Semaphore,
}

impl Slots {
    pub(crate) fn new(first: usize, retries: usize) -> Self {
        let pool = |size: usize| Pool {
            size: size.max(1),
            open: AtomicUsize::new(0),
            permits: Semaphore::new(size.max(1)),
        };
        Self { first: pool(first), retries: pool(retries) }
    }

    fn pool(&self, slot: Slot) -> &Pool {
        match slot {
            Slot::First => &self.first,
            Slot::Retry => &self.retries,
        }
    }

    /// How many of the `wanted` slots a lane may have that is not known to be fast; at least one.
    pub(crate) fn share(&self, slot: Slot, wanted: usize) -> usize {
        let pool = self.pool(slot);
        let free = pool.size.saturating_sub(pool.open.load(Ordering::Relaxed));
        (wanted * free).div_ceil(pool.size).max(1)
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn open(&self) -> usize {
        let open = |pool: &Pool| pool.open.load(Ordering::Relaxed);
        open(&self.first) + open(&self.retries)
    }

    pub(crate) fn opened(&self, slot: Slot) {
        self.pool(slot).open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self, slot: Slot) {
        self.pool(slot).open.fetch_sub(1, Ordering::Relaxed);
    }

    /// The permit to make an attempt, and whether it was waited for, in which time much may have changed.
    pub(crate) async fn permit(&self, slot: Slot) -> (SemaphorePermit<'_>, bool) {
        let permits = &self.pool(slot).permits;
        match permits.try_acquire() {
            Ok(permit) => (permit, false),
            Err(_) => (permits.acquire().await.expect("nobody closes the semaphore"), true),
        }
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
}
