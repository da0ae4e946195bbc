use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use uuid::Uuid;

use super::*;

fn whose(tenant: u64, endpoint: u128) -> Whose {
    Whose { tenant, endpoint: EndpointId(Uuid::from_u128(endpoint)) }
}

type Passing<'a> = Pin<Box<dyn Future<Output = Turn<'a>> + 'a>>;

/// Those who want to pass, in the order in which they came.
struct Crowd<'a> {
    turns: &'a Turns,
    waiting: Vec<(Whose, Slot, Passing<'a>)>,
    past: Vec<(Whose, Slot, Turn<'a>)>,
}

impl<'a> Crowd<'a> {
    fn new(turns: &'a Turns) -> Self {
        Self { turns, waiting: Vec::new(), past: Vec::new() }
    }

    fn comes(&mut self, whose: Whose, slot: Slot) {
        self.waiting.push((whose, slot, Box::pin(self.turns.pass(whose, slot))));
        self.look();
    }

    /// Whoever was called passes.
    fn look(&mut self) {
        for (whose, slot, mut passing) in std::mem::take(&mut self.waiting) {
            match passing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(turn) => self.past.push((whose, slot, turn)),
                Poll::Pending => self.waiting.push((whose, slot, passing)),
            }
        }
    }

    /// The first of those who are past leaves.
    fn one_leaves(&mut self) -> (Whose, Slot) {
        let (whose, slot, turn) = self.past.remove(0);
        drop(turn);
        self.look();
        (whose, slot)
    }

    fn are_past(&self, slot: Slot) -> usize {
        self.past.iter().filter(|(_, other, _)| *other == slot).count()
    }
}

#[test]
fn one_lane_of_a_tenant_waits_for_no_thousand_lanes_of_another() {
    let turns = Turns::new(Room::apart(10, 1));
    let mut crowd = Crowd::new(&turns);
    for endpoint in 0..1000 {
        crowd.comes(whose(1, endpoint), Slot::First);
    }
    for _ in 0..5 {
        crowd.comes(whose(2, 5000), Slot::First);
    }
    for _ in 0..9 {
        crowd.one_leaves();
    }
    let theirs = crowd.past.iter().filter(|(whose, ..)| whose.tenant == 2).count();
    assert!((4..=5).contains(&theirs), "{theirs} of the nine places that were given back");
}

#[test]
fn who_holds_little_comes_before_who_holds_much() {
    let turns = Turns::new(Room::apart(8, 1));
    let mut crowd = Crowd::new(&turns);
    for endpoint in 0..100 {
        crowd.comes(whose(1, endpoint), Slot::First);
    }
    for _ in 0..8 {
        crowd.one_leaves(); // now all eight were waited for, and belong to the first
    }
    for _ in 0..4 {
        crowd.comes(whose(2, 500), Slot::First);
    }
    for expected in 1..=4 {
        crowd.one_leaves();
        let theirs = crowd.past.iter().filter(|(whose, ..)| whose.tenant == 2).count();
        assert_eq!(theirs, expected, "every place that gets free, until both have the same");
    }
}

#[test]
fn endpoints_of_a_tenant_take_turns() {
    let turns = Turns::new(Room::shared(1));
    let mut crowd = Crowd::new(&turns);
    for _ in 0..50 {
        crowd.comes(whose(1, 1), Slot::First);
    }
    crowd.comes(whose(1, 2), Slot::First);
    crowd.comes(whose(1, 3), Slot::First);
    let mut left = Vec::new();
    for _ in 0..5 {
        left.push(crowd.one_leaves().0.endpoint.0.as_u128());
    }
    assert_eq!(left, [1, 1, 2, 3, 1]);
}

#[test]
fn retries_take_no_more_than_half_and_first_attempts_take_turns_with_them_for_a_single_place() {
    let turns = Turns::new(Room::shared(10));
    let mut crowd = Crowd::new(&turns);
    for endpoint in 0..100 {
        crowd.comes(whose(1, endpoint), Slot::Retry);
    }
    assert_eq!(crowd.are_past(Slot::Retry), 5);
    for endpoint in 0..100 {
        crowd.comes(whose(1, endpoint), Slot::First);
    }
    assert_eq!((crowd.are_past(Slot::Retry), crowd.are_past(Slot::First)), (5, 5));
    drop(crowd);

    let single = Turns::new(Room::shared(1));
    let mut crowd = Crowd::new(&single);
    for endpoint in 0..10 {
        crowd.comes(whose(1, endpoint), Slot::Retry);
        crowd.comes(whose(1, endpoint), Slot::First);
    }
    let firsts = (0..10).filter(|_| crowd.one_leaves().1 == Slot::First).count();
    assert_eq!(firsts, 5);
}

#[test]
fn who_leaves_the_line_or_is_called_in_vain_takes_no_place() {
    let turns = Turns::new(Room::shared(2));
    let mut crowd = Crowd::new(&turns);
    for endpoint in 0..6 {
        crowd.comes(whose(1, endpoint), Slot::First);
    }
    drop(crowd.waiting.remove(0));
    drop(crowd.past.remove(0)); // calls one, who has not looked yet
    drop(crowd.waiting.remove(0));
    crowd.look();
    assert_eq!((crowd.past.len(), crowd.waiting.len()), (2, 1));
    while !crowd.past.is_empty() {
        crowd.one_leaves();
    }
    assert_eq!((crowd.waiting.len(), turns.past.load(Ordering::SeqCst)), (0, 0));
}

#[test]
fn a_larger_room_lets_more_pass_and_a_smaller_one_waits_until_they_leave() {
    let turns = Turns::new(Room::shared(1));
    let mut crowd = Crowd::new(&turns);
    for endpoint in 0..20 {
        crowd.comes(whose(1, endpoint), Slot::First);
    }
    turns.resize(Room::shared(4));
    crowd.look();
    assert_eq!(crowd.past.len(), 4);
    turns.resize(Room::shared(2));
    crowd.one_leaves();
    crowd.one_leaves();
    assert_eq!(crowd.past.len(), 2);
    crowd.one_leaves();
    assert_eq!(crowd.past.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_a_storm_nobody_is_forgotten_and_no_more_are_past_than_have_room() {
    let turns = Arc::new(Turns::new(Room { first: 3, retries: 2, all: 4 }));
    let inside = Arc::new(AtomicU32::new(0));
    let mut storm = tokio::task::JoinSet::new();
    for task in 0..64_u64 {
        let (turns, inside) = (Arc::clone(&turns), Arc::clone(&inside));
        storm.spawn(async move {
            let slot = if task % 3 == 0 { Slot::Retry } else { Slot::First };
            for round in 0..200_u64 {
                let whose = whose(task % 5, u128::from(task % 11));
                // Some lose their patience.
                let limit = std::time::Duration::from_micros(50 + (task * 7 + round) % 400);
                let Ok(turn) = tokio::time::timeout(limit, turns.pass(whose, slot)).await else {
                    continue;
                };
                assert!(inside.fetch_add(1, Ordering::SeqCst) < 4);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(turn);
            }
        });
    }
    while let Some(ended) = storm.join_next().await {
        ended.expect("no task panics");
    }
    assert_eq!(turns.past.load(Ordering::SeqCst), 0, "all places are free and nobody waits");
    assert_eq!(turns.line().names(), HashMap::new());
}
