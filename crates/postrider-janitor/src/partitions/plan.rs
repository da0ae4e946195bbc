//! What the partitions of one table need next: a decision on what there is, without a database.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use postrider_store::partitions::{Kind, Parent, Partition, State};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Days must lie ahead for this long.
const DAYS_AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);
/// The tail must not begin before this; months lie between.
const MONTHS_AHEAD: SignedDuration = SignedDuration::from_hours(366 * 24);
/// What begins sooner may be written into at any moment, and is left alone.
const TOO_SOON: SignedDuration = SignedDuration::from_hours(1);

/// One change to the partitions of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// An interrupted detach is brought to its end.
    FinishDetach(&'a Partition),
    /// A table that was taken off comes back.
    Attach(&'a Partition),
    /// The registry learns of a partition.
    Register(&'a Partition),
    /// The registry forgets a partition that is no more.
    Unregister(&'a Partition),
    /// Nothing covers this time; a missing bound is infinite.
    Fill { lo: Option<Timestamp>, hi: Option<Timestamp> },
    /// A month or the tail gives way to finer partitions.
    Refine(&'a Partition),
}

/// The next thing to do for a table whose partitions are `partitions`, in order of time; `None`: all is well. Those named in
/// `in_use` are not refined.
pub(super) fn next_step<'a>(
    parent: Parent,
    partitions: &[&'a Partition],
    now: Timestamp,
    in_use: &HashSet<String>,
) -> Option<Step<'a>> {
    partitions
        .iter()
        .find_map(|partition| repair(partition, now))
        .or_else(|| gap(parent, partitions, now))
        .or_else(|| {
            partitions
                .iter()
                .find(|p| is_due(p, now) && !in_use.contains(&p.name))
                .map(|p| Step::Refine(p))
        })
}

fn repair<'a>(partition: &'a Partition, now: Timestamp) -> Option<Step<'a>> {
    match partition.state {
        State::Missing => Some(Step::Unregister(partition)),
        State::Detaching => Some(Step::FinishDetach(partition)),
        // What lies ahead was on its way to finer partitions. What lies behind was on its way out; retention decides anew.
        State::Detached if partition.kind != Kind::Day && partition.lo > Some(now) => {
            Some(Step::Refine(partition))
        }
        State::Detached => Some(Step::Attach(partition)),
        State::Attached if !partition.registered => Some(Step::Register(partition)),
        State::Attached => None,
    }
}

fn gap<'a>(parent: Parent, partitions: &[&Partition], now: Timestamp) -> Option<Step<'a>> {
    let Some((first, last)) = partitions.first().zip(partitions.last()) else {
        return Some(Step::Fill { lo: None, hi: Some(next_midnight(now)) });
    };
    // A delivery is closed into the partition of its event's time, however old that is.
    if parent == Parent::Closed && first.lo.is_some() {
        return Some(Step::Fill { lo: None, hi: first.lo });
    }
    partitions
        .windows(2)
        .find(|pair| pair[0].hi != pair[1].lo)
        .map(|pair| Step::Fill { lo: pair[0].hi, hi: pair[1].lo })
        .or_else(|| last.hi.is_some().then_some(Step::Fill { lo: last.hi, hi: None }))
}

/// Whether a partition ahead should be finer by now.
fn is_due(partition: &Partition, now: Timestamp) -> bool {
    let Some(lo) = partition.lo else { return false };
    let ahead = lo.duration_since(now);
    let reach = match partition.kind {
        Kind::Day => return false,
        Kind::Month => DAYS_AHEAD,
        Kind::Tail => MONTHS_AHEAD,
    };
    ahead > TOO_SOON && ahead < reach
}

fn next_midnight(now: Timestamp) -> Timestamp {
    let days = now.as_second().div_euclid(DAY.as_secs()) + 1;
    Timestamp::from_second(days * DAY.as_secs())
        .expect("a day after a time of the database is a time")
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
