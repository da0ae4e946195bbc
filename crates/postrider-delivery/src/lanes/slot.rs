//! A slot at work: takes one delivery after the other, sends it, and passes what came of it on.

use std::sync::Arc;
use std::time::Instant;

use super::{AFTER_LEASE, Inner, RECORD_MARGIN, lock};
use crate::hold::{InHand, Seat};
use crate::lane::{Lane, Slot};
use crate::target::Target;
use crate::turns::Turn;

impl Inner {
    /// A slot: takes one delivery after the other until the lane has none for it.
    pub(super) async fn run_slot(self: &Arc<Self>, lane: &Arc<Lane>, slot: Slot) {
        let mut seat = Seat { lane, slots: &self.slots, slot: Some(slot) };
        let Some(outcomes) = lock(&self.outcomes).clone() else { return };
        while seat.slot.is_some() {
            let target = match self.current(lane) {
                Some(target) => target,
                None => match self.look_up(lane, &outcomes).await {
                    Some(target) => {
                        // It may be allowed more than before.
                        self.open_slots(lane);
                        target
                    }
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
            let ends = hand.delivery.leased_at + self.lease;
            let is_late = || Instant::now() + target.timeout + RECORD_MARGIN > ends;
            // Before it takes a turn from another.
            if is_late() {
                self.leave(lane, hand, ends);
                continue;
            }
            let (_share, limited) = self.wait_for_limits(lane, &target, next.slot).await;
            let permit = self.slots.permit(target.whose, next.slot).await;
            let paced = match &self.rate {
                Some(rate) => rate.wait(target.whose, next.slot, &self.stop).await,
                None => false,
            };
            if limited || paced || permit.was_waited_for() {
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
            if is_late() {
                self.leave(lane, hand, ends);
                continue;
            }
            if let Some(batch) = hand.delivery.batch.clone() {
                self.send_batch(lane, &mut hand, &batch, &target, ends).await;
                continue;
            }
            hand.in_flight(true);
            let started = Instant::now();
            let attempted = self.sender.attempt(&hand.delivery, &target).await;
            let ended = Instant::now();
            lane.note_attempt(ended - started, ended);
            hand.in_flight(false);
            // What ends after its lease is out of date (this process stood still), for the endpoint's health as for the row.
            if ended < ends || lane.is_probing() {
                self.note_health(lane, &hand.delivery, attempted.finding, attempted.disable);
            }
            if outcomes.send(attempted.outcome).await.is_err() {
                return;
            }
            hand.settled = true;
        }
    }

    /// Too late to finish under this lease: not sent, and due again by itself when the lease ends.
    fn leave(&self, lane: &Lane, mut hand: InHand<'_>, ends: Instant) {
        hand.settled = true;
        self.due.at(lane.endpoint, ends + AFTER_LEASE);
    }

    /// Waits for what the endpoint and its tenant are limited to: the tenant's place, to be kept during the attempt, and whether
    /// there was anything to wait for.
    async fn wait_for_limits<'a>(
        &self,
        lane: &Lane,
        target: &'a Target,
        slot: Slot,
    ) -> (Option<Turn<'a>>, bool) {
        let (limit, share) = (target.rate_limit.and_then(|_| lane.limit()), &target.share);
        if limit.is_none() && share.is_none() {
            return (None, false);
        }
        let _aside = self.slots.aside(slot);
        let mut waited = false;
        if let Some(limit) = limit {
            waited = limit.wait(target.whose, slot, &self.stop).await;
        }
        match share {
            Some(share) => {
                let (turn, passed_late) = share.pass(target.whose, slot, &self.stop).await;
                (Some(turn), waited || passed_late)
            }
            None => (None, waited),
        }
    }
}
