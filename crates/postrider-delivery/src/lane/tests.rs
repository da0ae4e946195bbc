//! Slots open and close in any order, and neither a slot nor a delivery is lost on the way.

use postrider_core::ids::DeliveryId;
use uuid::Uuid;

use super::*;

const DEPTH: Depth =
    Depth { floor: 256, lease: Duration::from_secs(60), most: usize::MAX, bytes_left: 64 << 20 };

fn delivery(endpoint: EndpointId, number: u128, attempts: u16) -> LeasedDelivery {
    LeasedDelivery {
        id: DeliveryId(Uuid::from_u128(number)),
        endpoint,
        lease_no: 1,
        attempts,
        ordered: false,
        replay: false,
        event: None,
        leased_at: Instant::now(),
        batch: None,
    }
}

/// Numbers that look like chance and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Plays a lane with `slots` slots among others that hold `others` of the worker's; returns how many deliveries came out.
fn play(slots: usize, others: usize, seed: u64) -> usize {
    let endpoint = EndpointId(Uuid::from_u128(1));
    let (lane, pool, mut dice) = (Lane::new(endpoint, slots), Slots::new(16, 4), Dice(seed));
    (0..others).for_each(|_| pool.opened(Slot::First));
    let (mut seats, mut taken, mut put): (Vec<Option<Slot>>, usize, u128) = (Vec::new(), 0, 0);
    for step in 0..2000 {
        match dice.roll(if step < 1500 { 8 } else { 4 }) {
            0..=3 if !seats.is_empty() => {
                let at = usize::try_from(dice.roll(seats.len() as u64)).expect("small");
                if let Some(next) = lane.next(&mut seats[at], DEPTH, &pool) {
                    taken += 1;
                    if dice.roll(10) == 0 {
                        taken -= 1;
                        lane.put_back(next.delivery);
                    }
                    if next.open {
                        seats.extend(lane.open_slots(&pool).into_iter().map(Some));
                    }
                    if dice.roll(50) == 0 {
                        lane.note_attempt(Duration::from_millis(dice.roll(4000)), Instant::now());
                    }
                } else {
                    assert_eq!(seats.swap_remove(at), None, "it has closed");
                }
            }
            4 => {
                put += 1;
                lane.fill(std::iter::once(delivery(endpoint, put, 0)));
                seats.extend(lane.open_slots(&pool).into_iter().map(Some));
            }
            5 => {
                put += 1;
                lane.end_pull(vec![delivery(endpoint, put, 1)], true);
                seats.extend(lane.open_slots(&pool).into_iter().map(Some));
            }
            6 if !seats.is_empty() => {
                lane.close_if_empty(&mut seats[0], &pool);
                seats.retain(Option::is_some);
            }
            _ => {}
        }
        assert!(lane.queued() == 0 || !seats.is_empty(), "step {step}: nobody works on the queue");
        assert!(seats.len() <= slots, "step {step}: {} of {slots} slots", seats.len());
        assert_eq!(pool.all_open(), others + seats.len(), "step {step}");
    }
    while let Some(mut seat) = seats.pop() {
        while let Some(next) = lane.next(&mut seat, DEPTH, &pool) {
            taken += 1;
            if next.open {
                seats.extend(lane.open_slots(&pool).into_iter().map(Some));
            }
        }
    }
    assert!(lane.is_idle(Duration::ZERO));
    assert_eq!(taken, usize::try_from(put).expect("small"), "every delivery came out once");
    taken
}

#[test]
fn a_lane_loses_neither_slots_nor_deliveries_and_never_stands_still_with_work() {
    let mut played = 0;
    for slots in [1, 2, 3, 10] {
        for others in [0, 8, 16, 40] {
            for seed in 0..25 {
                played += play(slots, others, seed);
            }
        }
    }
    assert!(played > 100_000, "{played}");
}

#[test]
fn a_lane_that_was_fast_and_begins_to_hang_takes_only_its_share_of_the_slots_any_more() {
    let endpoint = EndpointId(Uuid::from_u128(1));
    let pool = Slots::new(100, 10);
    let lane = Lane::new(endpoint, 10);
    let before = Instant::now().checked_sub(Duration::from_secs(1)).expect("a second ago");
    (0..40).for_each(|_| lane.note_attempt(Duration::from_millis(2), before));
    (0..75).for_each(|_| pool.opened(Slot::First)); // others
    lane.fill((0..4).map(|number| delivery(endpoint, number, 0)));
    let opened = lane.open_slots(&pool);
    assert_eq!(opened.len(), 3, "its share: nothing was sent to it of late");
    opened.into_iter().for_each(|slot| drop(lane.next(&mut Some(slot), DEPTH, &pool)));
    lane.note_attempt(Duration::from_millis(2), Instant::now());
    assert_eq!(lane.open_slots(&pool).len(), 1, "it is fast");
    lane.state().answered = before;
    lane.fill((4..20).map(|number| delivery(endpoint, number, 0)));
    assert_eq!(lane.open_slots(&pool).len(), 0, "a fifth of the slots is free: two for it");
    lane.note_attempt(Duration::from_millis(2), Instant::now());
    assert_eq!(lane.open_slots(&pool).len(), 6, "it answers again");
}

#[test]
fn a_single_slot_is_for_retries_and_first_attempts_by_turns() {
    let endpoint = EndpointId(Uuid::from_u128(1));
    let pool = Slots::new(512, 128);
    let lane = Lane::new(endpoint, 1);
    lane.end_pull((0..6).map(|number| delivery(endpoint, number, 1)).collect(), true);
    lane.fill((6..12).map(|number| delivery(endpoint, number, 0)));
    let mut seat = lane.open_slots(&pool).pop();
    let mut kinds = Vec::new();
    while let Some(next) = lane.next(&mut seat, DEPTH, &pool) {
        kinds.push(next.slot);
    }
    assert_eq!(kinds.len(), 12);
    let first = |kinds: &[Slot]| kinds.iter().filter(|kind| **kind == Slot::First).count();
    assert_eq!(first(&kinds[..6]), 3, "{kinds:?}");
}

#[test]
fn a_lane_that_was_fast_and_begins_to_hang_soon_holds_little() {
    let pool = Slots::new(100, 10);
    let lane = Lane::new(EndpointId(Uuid::from_u128(1)), 10);
    (0..40).for_each(|_| lane.note_attempt(Duration::from_millis(2), Instant::now()));
    lane.fill((0..4).map(|number| delivery(lane.endpoint, number, 0)));
    assert_eq!(lane.open_slots(&pool).len(), 4);
    let room_after = |quiet: Duration| {
        lane.state().answered = Instant::now().checked_sub(quiet).expect("a moment ago");
        let got = lane.reserve(5000, 5000 * 100, DEPTH);
        lane.unreserve(got);
        got
    };
    assert_eq!(room_after(Duration::from_millis(300)), 5000, "it may have paused");
    let room = room_after(Duration::from_secs(2));
    assert!((140..=146).contains(&room), "{room}, where it starts five a second at best");
    let room = room_after(Duration::from_secs(15));
    assert!((14..=16).contains(&room), "{room}, where it starts ten in fifteen seconds");
}

#[test]
fn what_was_asked_before_a_probe_was_taken_does_not_shut_its_lane() {
    let lane = Lane::new(EndpointId(Uuid::from_u128(1)), 10);
    let until = Instant::now() + Duration::from_secs(9);
    assert_eq!(lane.learn(1, 2, true, Flow::From(until)), Some(Flow::From(until)));
    let asked = 3;
    lane.begin_probe(4);
    assert_eq!(lane.learn(asked, 5, true, Flow::From(until)), None);
    assert_eq!(lane.learn(asked, 6, false, Flow::On), None);
    assert!(lane.is_probing());
    assert_eq!(lane.learn(7, 8, false, Flow::On), Some(Flow::On));
    assert_eq!(lane.learn(9, 10, false, Flow::On), Some(Flow::AsBefore), "it flows already");
}

#[test]
fn what_waits_for_events_before_it_is_asked_for_less_and_less_often() {
    let lane = Lane::new(EndpointId(Uuid::from_u128(1)), 10);
    let (first, most) = (Duration::from_millis(100), Duration::from_secs(1));
    let waits: Vec<_> = (0..6).map(|_| lane.held_again(first, most).as_millis()).collect();
    assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
    lane.held_no_more();
    assert_eq!(lane.held_again(first, most), first);
}

#[test]
fn many_lanes_that_were_fast_and_hang_when_much_comes_for_them_leave_slots_to_the_others() {
    let pool = Slots::new(512, 128);
    let taken: usize = (0..100)
        .map(|number| {
            let lane = Lane::new(EndpointId(Uuid::from_u128(number)), 10);
            (0..40).for_each(|_| lane.note_attempt(Duration::from_millis(2), Instant::now()));
            lane.fill((0..200).map(|number| delivery(lane.endpoint, number, 0)));
            lane.open_slots(&pool).len()
        })
        .sum();
    assert!((400..480).contains(&taken), "{taken} of 512");
}
