//! How many requests a second an endpoint, a tenant or everybody gets: what was allowed, divided among the workers that
//! deliver. Each takes an equal part, so that the fleet keeps to the whole without asking anybody before a request.
//!
//! What a receiver counts is strict. A worker starts no more in any second than 99 % of its part and a burst of 4 ms' worth (two
//! at least, from ten a second on), and what it started earlier can come late by no more than what is in flight. So an endpoint
//! whose cap is below half a hundredth of its rate never sees more than its rate in any one second, and another one sees no more
//! than 1.004 times that and its cap.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use postrider_runtime::Stop;

use crate::lane::Slot;
use crate::turns::{Room, Turns, Whose};

/// The part of the rate that is used: the rest is for requests that arrive late.
const USED_PART: f64 = 0.99;
/// Requests that may follow each other at once are those of so long a time: timers fire late, and that is made up for.
const BURST_SECONDS: f64 = 0.004;
/// From this rate on there are at least two.
const TWO_FROM: f64 = 10.0;

/// One worker's part of a rate.
pub(crate) struct Limit {
    part: Part,
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
    /// One waits for the next request's time, the others for him, in a fair order.
    line: Turns,
}

/// What a limit was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Requests a second from the whole fleet.
    pub(crate) rate: u32,
    /// Workers that deliver, this one among them.
    pub(crate) workers: usize,
}

impl Part {
    /// Requests a second from this worker.
    pub(crate) fn rate(self) -> f64 {
        f64::from(self.rate) / f64::from(u32::try_from(self.workers.max(1)).unwrap_or(u32::MAX))
    }
}

impl Limit {
    pub(crate) fn new(part: Part) -> Self {
        let rate = (part.rate() * USED_PART).max(1e-6);
        let least = if part.rate() >= TWO_FROM { 2 } else { 1 };
        let burst = crate::pace::whole(rate * BURST_SECONDS).max(least);
        let burst = u32::try_from(burst).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        let clock = DefaultClock::default();
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        Self { part, limiter, clock, line: Turns::new(Room::shared(1)) }
    }

    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// Waits for the right to make one request; whether it had to, in which time much may have changed.
    pub(crate) async fn wait(&self, whose: Whose, slot: Slot, stop: &Stop) -> bool {
        let turn = self.line.pass(whose, slot).await;
        let mut waited = turn.was_waited_for();
        while let Err(wait) = self.take() {
            waited = true;
            if stop.soft_requested() {
                break;
            }
            stop.soft_within(wait).await;
        }
        waited
    }

    /// Takes the right to make one request now; else how long to wait before asking again.
    fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

/// This worker among those that deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fleet {
    /// How many deliver, this one among them.
    pub(crate) workers: usize,
    /// How many of them come before this one.
    pub(crate) place: usize,
}

impl Fleet {
    /// Nobody else is known.
    pub(crate) const ALONE: Self = Self { workers: 1, place: 0 };

    /// This worker's part of a cap. All parts together are the cap, so with more workers than that some have none; who that is
    /// goes round with `turn`, which is another number for everybody who has a cap.
    pub(crate) fn part(self, whole: usize, turn: u64) -> usize {
        let workers = self.workers.max(1);
        let turn = usize::try_from(turn % u64::try_from(workers).unwrap_or(1)).unwrap_or(0);
        whole / workers + usize::from((self.place + turn) % workers < whole % workers)
    }
}

/// One worker's part of a number of requests in flight: all parts together are no more than the whole, but each is one at least.
pub(crate) fn in_flight(whole: usize, workers: usize) -> usize {
    (whole / workers.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// When requests start, for so long, if somebody always wants to make one.
    fn starts(part: Part, long: Duration) -> Vec<Instant> {
        let limit = Limit::new(part);
        let (begun, mut starts) = (Instant::now(), Vec::new());
        while begun.elapsed() < long {
            match limit.take() {
                Ok(()) => starts.push(Instant::now()),
                Err(wait) => std::thread::park_timeout(wait),
            }
        }
        starts
    }

    /// The most within any time so long.
    fn fullest(starts: &[Instant], long: Duration) -> usize {
        let within =
            |at: &Instant| starts.iter().filter(|s| **s >= *at && **s - *at < long).count();
        starts.iter().map(within).max().unwrap_or(0)
    }

    #[test]
    fn no_second_has_more_than_the_rate() {
        let starts = starts(Part { rate: 2000, workers: 1 }, Duration::from_millis(1500));
        let most = fullest(&starts, Duration::from_secs(1));
        // Ten may have been in flight before, and arrive late.
        assert!(most + 10 <= 2000, "{most} in the fullest second");
        assert!(starts.len() >= 1500, "{} in one and a half", starts.len());
    }

    #[test]
    fn a_worker_keeps_to_its_part_of_the_rate() {
        let starts = starts(Part { rate: 600, workers: 3 }, Duration::from_millis(500));
        let most = fullest(&starts, Duration::from_millis(100));
        assert!(most <= 22, "{most} in a tenth of a second, at 200 a second");
        assert!(starts.len() >= 50, "{} in half a second", starts.len());
    }

    #[test]
    fn the_parts_of_a_fleet_are_the_cap_to_the_unit_whoevers_turn_it_is() {
        for (whole, workers) in [(10, 1), (10, 3), (10, 10), (3, 5), (1, 16), (7, 4)] {
            for turn in [0, 1, 7, u64::MAX] {
                let parts = (0..workers).map(|place| Fleet { workers, place }.part(whole, turn));
                let parts: Vec<usize> = parts.collect();
                assert_eq!(parts.iter().sum::<usize>(), whole, "{whole} among {parts:?}");
                assert!(
                    parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1,
                    "{parts:?}"
                );
            }
        }
        let first =
            |turn| (0..3).find(|place| Fleet { workers: 3, place: *place }.part(1, turn) == 1);
        assert_eq!([first(0), first(1), first(2)], [Some(0), Some(2), Some(1)]);
    }

    #[test]
    fn parts_of_the_cap_are_no_more_than_the_whole() {
        for (whole, workers, expected) in
            [(10, 1, 10), (10, 2, 5), (10, 3, 3), (1, 3, 1), (10, 0, 10)]
        {
            assert_eq!(in_flight(whole, workers), expected, "{whole} among {workers}");
        }
    }
}
