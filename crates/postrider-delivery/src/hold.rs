//! What a slot holds while it works: its place in the lane and the delivery in its hand. Both are given back whichever way the
//! slot ends: a stop drops it in the middle of a request.

use postrider_store::deliveries::LeasedDelivery;

use crate::lane::{Lane, Slot};
use crate::lanes::{Inner, lock};
use crate::slots::Slots;

/// A slot's place in its lane: closed whichever way the slot ends.
pub(crate) struct Seat<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) slots: &'a Slots,
    pub(crate) slot: Option<Slot>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.lane.close_slot(slot, self.slots);
        }
    }
}

/// A delivery in a slot's hand. Dropped unsettled, because the slot was stopped, its lease goes back.
pub(crate) struct InHand<'a> {
    inner: &'a Inner,
    pub(crate) delivery: LeasedDelivery,
    in_flight: bool,
    /// Its outcome is with the recorder, or nothing has to be done about it.
    pub(crate) settled: bool,
}

impl<'a> InHand<'a> {
    pub(crate) fn new(inner: &'a Inner, delivery: LeasedDelivery) -> Self {
        Self { inner, delivery, in_flight: false, settled: false }
    }

    /// An attempt begins or has ended.
    pub(crate) fn in_flight(&mut self, now: bool) {
        if std::mem::replace(&mut self.in_flight, now) != now {
            let gauge = &self.inner.sender.metrics.in_flight;
            if now {
                gauge.inc()
            } else {
                gauge.dec()
            };
        }
    }

    /// Back into the lane, untouched.
    pub(crate) fn put_back(mut self, lane: &Lane) {
        self.settled = true;
        self.inner.count_in(std::slice::from_ref(&self.delivery));
        lane.put_back(self.delivery.clone());
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.inner.count_out(&self.delivery);
        self.in_flight(false);
        if !self.settled {
            lock(&self.inner.abandoned).extend(self.delivery.leases());
        }
    }
}
