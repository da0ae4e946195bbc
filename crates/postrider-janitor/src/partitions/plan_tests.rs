//! The plan for a table, step by step, on a calendar of our own.

use super::*;

fn at(text: &str) -> Timestamp {
    format!("{text}T00:00:00Z").parse().expect("a date")
}

fn partition(lo: &str, hi: &str) -> Partition {
    let bound = |text: &str| (!text.is_empty()).then(|| at(text));
    let (lo, hi) = (bound(lo), bound(hi));
    let kind = match (lo, hi) {
        (_, None) => Kind::Tail,
        (Some(lo), Some(hi)) if hi.duration_since(lo) > DAY => Kind::Month,
        _ => Kind::Day,
    };
    let name = format!("p{}", lo.map_or_else(|| "first".to_owned(), |lo| lo.to_string()));
    Partition {
        parent: Parent::Events,
        name,
        kind,
        lo,
        hi,
        state: State::Attached,
        registered: true,
    }
}

/// Days of 2026 to March 10, the rest of March, April, and a tail two years on.
fn healthy() -> Vec<Partition> {
    let mut all = vec![partition("", "2026-03-01")];
    all.extend(
        (1..10)
            .map(|day| partition(&format!("2026-03-{day:02}"), &format!("2026-03-{:02}", day + 1))),
    );
    all.push(partition("2026-03-10", "2026-04-01"));
    all.push(partition("2026-04-01", "2026-05-01"));
    all.push(partition("2026-05-01", "2028-03-01"));
    all.push(partition("2028-03-01", ""));
    all
}

fn step(all: &[Partition], now: &str) -> Option<String> {
    let all: Vec<&Partition> = all.iter().collect();
    next_step(Parent::Events, &all, at(now), &HashSet::new()).map(|step| match step {
        Step::FinishDetach(p) => format!("finish {}", p.name),
        Step::Attach(p) => format!("attach {}", p.name),
        Step::Register(p) => format!("register {}", p.name),
        Step::Unregister(p) => format!("unregister {}", p.name),
        Step::Refine(p) => format!("refine {}", p.name),
        Step::Fill { lo, hi } => {
            let bound = |bound: Option<Timestamp>| {
                bound.map_or_else(|| "∞".to_owned(), |at| at.strftime("%F").to_string())
            };
            format!("fill {} {}", bound(lo), bound(hi))
        }
    })
}

#[test]
fn nothing_is_done_while_enough_lies_ahead() {
    assert_eq!(step(&healthy(), "2026-03-02"), None);
}

#[test]
fn a_month_becomes_days_when_fewer_than_eight_days_lie_ahead() {
    assert_eq!(step(&healthy(), "2026-03-03").as_deref(), Some("refine p2026-03-10T00:00:00Z"));
}

#[test]
fn a_month_that_has_begun_is_left_alone() {
    assert_eq!(step(&healthy(), "2026-03-12"), None, "April is far enough off");
    assert_eq!(step(&healthy(), "2026-03-28").as_deref(), Some("refine p2026-04-01T00:00:00Z"));
}

#[test]
fn the_tail_becomes_months_when_fewer_than_twelve_lie_ahead() {
    let mut all = healthy();
    all.truncate(all.len() - 2);
    all.push(partition("2026-05-01", ""));
    assert_eq!(step(&all, "2026-03-02").as_deref(), Some("refine p2026-05-01T00:00:00Z"));
    assert_eq!(step(&all, "2026-06-02"), None, "a tail in use stays");
}

#[test]
fn what_is_in_use_is_not_refined() {
    let all = healthy();
    let all: Vec<&Partition> = all.iter().collect();
    let in_use = HashSet::from(["p2026-03-10T00:00:00Z".to_owned()]);
    assert_eq!(next_step(Parent::Events, &all, at("2026-03-03"), &in_use), None);
}

#[test]
fn half_done_changes_come_first() {
    let cases = [
        (State::Detaching, 11, "finish p2026-04-01T00:00:00Z"),
        (State::Detached, 11, "refine p2026-04-01T00:00:00Z"),
        (State::Detached, 0, "attach pfirst"),
        (State::Detached, 9, "attach p2026-03-09T00:00:00Z"),
        (State::Missing, 3, "unregister p2026-03-03T00:00:00Z"),
    ];
    for (state, which, expected) in cases {
        let mut all = healthy();
        all[which].state = state;
        assert_eq!(step(&all, "2026-03-02").as_deref(), Some(expected), "{state:?}");
    }
    let mut all = healthy();
    all[4].registered = false;
    assert_eq!(step(&all, "2026-03-02").as_deref(), Some("register p2026-03-04T00:00:00Z"));
}

#[test]
fn gaps_are_closed() {
    let mut all = healthy();
    all.remove(5);
    assert_eq!(step(&all, "2026-03-02").as_deref(), Some("fill 2026-03-05 2026-03-06"));
    let mut all = healthy();
    all.pop();
    assert_eq!(step(&all, "2026-03-02").as_deref(), Some("fill 2028-03-01 ∞"));
    assert_eq!(step(&[], "2026-03-02").as_deref(), Some("fill ∞ 2026-03-03"));
}

#[test]
fn only_closed_deliveries_reach_back_for_ever() {
    let all = healthy();
    let all: Vec<&Partition> = all.iter().skip(1).collect();
    let none = HashSet::new();
    assert_eq!(next_step(Parent::Events, &all, at("2026-03-02"), &none), None);
    let expected = Step::Fill { lo: None, hi: Some(at("2026-03-01")) };
    assert_eq!(next_step(Parent::Closed, &all, at("2026-03-02"), &none), Some(expected));
}
