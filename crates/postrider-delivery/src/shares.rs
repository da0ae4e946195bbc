//! What a tenant, or everybody together, may do at once: requests in flight, and requests a second. Divided among the workers
//! that deliver, like an endpoint's. Tenants without limits have nothing here, and nothing is asked for their attempts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use postrider_runtime::Stop;

use crate::lane::Slot;
use crate::lanes::lock;
use crate::limit::{self, Limit, Part};
use crate::pace::whole;
use crate::turns::{Room, Turn, Turns, Whose};

/// What the whole fleet may do for somebody; nothing set: as much as it can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in flight at once.
    pub in_flight: Option<u32>,
    /// Requests a second.
    pub rate: Option<u32>,
}

impl Limits {
    fn is_none(self) -> bool {
        self == Self::default()
    }

    /// This worker's part of the requests in flight.
    pub(crate) fn part_in_flight(self, workers: usize) -> Option<u32> {
        let whole = usize::try_from(self.in_flight?).unwrap_or(usize::MAX);
        u32::try_from(limit::in_flight(whole, workers)).ok()
    }
}

/// This worker's part of what is allowed to one tenant, or to everybody.
pub(crate) struct Share {
    in_flight: Turns,
    rate: Rate,
}

/// This worker's part of a rate, which may change.
#[derive(Default)]
pub(crate) struct Rate(Mutex<Option<Arc<Limit>>>);

/// More than any worker has slots.
const UNLIMITED: u32 = 1 << 30;

impl Share {
    fn new(limits: Limits, workers: usize) -> Self {
        let share = Self { in_flight: Turns::new(room(limits, workers)), rate: Rate::default() };
        share.rate.set(limits, workers);
        share
    }

    fn set(&self, limits: Limits, workers: usize) {
        self.in_flight.resize(room(limits, workers));
        self.rate.set(limits, workers);
    }

    /// Waits for a place among the tenant's requests in flight, and for its rate. The place is free again when what this gives
    /// is dropped. Also, whether anything was waited for.
    pub(crate) async fn pass(&self, whose: Whose, slot: Slot, stop: &Stop) -> (Turn<'_>, bool) {
        let turn = self.in_flight.pass(whose, slot).await;
        let paced = self.rate.wait(whose, slot, stop).await;
        let waited = paced || turn.was_waited_for();
        (turn, waited)
    }

    /// How many requests this worker may have in flight for it.
    pub(crate) fn slots(&self) -> usize {
        usize::try_from(self.in_flight.room().all).unwrap_or(usize::MAX)
    }

    /// How many deliveries may wait in each of so many lanes, if the rate is limited and they have to start in that time.
    pub(crate) fn depth(&self, lanes: usize, startable: Duration) -> Option<usize> {
        self.rate.depth(lanes, startable)
    }
}

impl Rate {
    /// Takes what is allowed by now.
    pub(crate) fn set(&self, limits: Limits, workers: usize) {
        let part = limits.rate.map(|rate| Part { rate, workers });
        let mut limit = lock(&self.0);
        if limit.as_ref().map(|limit| limit.part()) != part {
            *limit = part.map(|part| Arc::new(Limit::new(part)));
        }
    }

    /// How many deliveries may wait in each of so many lanes: together no more than can be started in that time.
    pub(crate) fn depth(&self, lanes: usize, startable: Duration) -> Option<usize> {
        let rate = lock(&self.0).as_ref()?.part().rate();
        Some((whole(rate * startable.as_secs_f64()) / lanes.max(1)).max(1))
    }

    /// Waits for the right to make one request; whether it had to.
    pub(crate) async fn wait(&self, whose: Whose, slot: Slot, stop: &Stop) -> bool {
        let limit = lock(&self.0).clone();
        match limit {
            Some(limit) => limit.wait(whose, slot, stop).await,
            None => false,
        }
    }
}

fn room(limits: Limits, workers: usize) -> Room {
    Room::shared(limits.part_in_flight(workers).unwrap_or(UNLIMITED))
}

/// The shares of the tenants that have limits.
#[derive(Default)]
pub(crate) struct Shares(Mutex<HashMap<String, Weak<Share>>>);

impl Shares {
    /// The share of a tenant that has these limits by now; `None` if it has none.
    pub(crate) fn of(&self, tenant: &str, limits: Limits, workers: usize) -> Option<Arc<Share>> {
        let mut shares = lock(&self.0);
        if limits.is_none() {
            // Who passed it is still counted there until he is done.
            shares.remove(tenant);
            return None;
        }
        if let Some(share) = shares.get(tenant).and_then(Weak::upgrade) {
            share.set(limits, workers);
            return Some(share);
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share::new(limits, workers));
        shares.insert(tenant.to_owned(), Arc::downgrade(&share));
        Some(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_follows_its_limits_and_the_fleet_while_somebody_uses_it() {
        let shares = Shares::default();
        let limits = |in_flight| Limits { in_flight: Some(in_flight), rate: Some(100) };
        assert!(shares.of("acme", Limits::default(), 1).is_none());
        let share = shares.of("acme", limits(12), 1).expect("it has limits");
        assert_eq!(share.slots(), 12);
        let again = shares.of("acme", limits(12), 3).expect("it has limits");
        assert!(Arc::ptr_eq(&share, &again), "one share a tenant");
        assert_eq!(share.slots(), 4);
        assert_eq!(share.depth(10, Duration::from_secs(30)), Some(100));
        shares.of("acme", limits(2), 3).expect("it has limits");
        assert_eq!((share.slots(), share.in_flight.room().retries), (1, 1));
        assert!(!Arc::ptr_eq(&share, &shares.of("globex", limits(2), 3).expect("it has limits")));
    }
}
