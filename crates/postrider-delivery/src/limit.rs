//! How many requests a second an endpoint gets, and how many at once: what its owner allowed, divided among the workers that
//! deliver. Each takes an equal part, so that the fleet keeps to the whole without asking anybody before a request.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Requests that may follow each other at once, as a part of a second's: a timer that fires late is made up for, and it never
/// shows in a count over seconds.
const BURST_PART: f64 = 0.01;
/// From this rate on there are at least two.
const TWO_FROM: f64 = 10.0;

/// One worker's part of an endpoint's rate.
pub(crate) struct Limit {
    part: Part,
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
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
        let rate = part.rate().max(1e-6);
        let least = if rate >= TWO_FROM { 2 } else { 1 };
        let burst = crate::pace::whole(rate * BURST_PART).max(least);
        let burst = u32::try_from(burst).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        let clock = DefaultClock::default();
        Self { part, limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// Takes the right to make one request now; else how long to wait before asking again.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

/// One worker's part of an endpoint's requests in flight: all parts together are no more than the whole, but each is one at least.
pub(crate) fn in_flight(whole: usize, workers: usize) -> usize {
    (whole / workers.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_worker_keeps_to_its_part_of_the_rate() {
        let limit = Limit::new(Part { rate: 600, workers: 3 });
        let (started, mut taken) = (Instant::now(), 0_u32);
        while started.elapsed() < Duration::from_millis(500) {
            match limit.take() {
                Ok(()) => taken += 1,
                Err(wait) => std::thread::park_timeout(wait),
            }
        }
        let most = 200.0 * started.elapsed().as_secs_f64() + 3.0;
        assert!(f64::from(taken) <= most, "{taken}, where {most} were allowed");
        assert!(taken >= 50, "{taken} in half a second, at 200 a second");
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
