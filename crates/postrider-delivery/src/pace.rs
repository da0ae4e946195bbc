//! How many deliveries a lane takes in memory: what its slots can start in time, judged by how long its attempts take.

use std::time::Duration;

/// Before enough attempts came back nobody knows how fast the endpoint is.
const UNKNOWN: usize = 1024;
/// The first attempts connect, so they say little about a fast endpoint; a slow one shows with the first.
const ENOUGH: u32 = 32;
const MOST: usize = 16_384;
/// A lane never holds more than this much work, however fast it is; fan-out waits when half of that is queued.
const AHEAD: Duration = Duration::from_secs(2);
/// An endpoint that answers within this time on average is fast: it soon gives back what it takes.
const FAST_US: f64 = 1e6;

/// A lane's speed: a moving average of how long an attempt takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Speed {
    attempt_us: Option<f64>,
    /// Attempts noted, up to [`ENOUGH`].
    noted: u32,
}

impl Speed {
    /// Notes an attempt.
    pub(crate) fn note(&mut self, took: Duration) {
        let took = took.as_secs_f64() * 1e6;
        self.noted = (self.noted + 1).min(ENOUGH);
        let weight = f64::from(self.noted.min(16));
        self.attempt_us =
            Some(self.attempt_us.map_or(took, |average| average + (took - average) / weight));
    }

    /// Attempts a second with this many slots; `None` while that is not known.
    pub(crate) fn rate(&self, slots: usize) -> Option<f64> {
        let us = self.attempt_us.filter(|us| self.noted >= ENOUGH || *us >= FAST_US)?;
        Some(slots_f64(slots) * 1e6 / us.max(1.0))
    }

    /// How long an attempt takes; nothing while that is not known.
    pub(crate) fn average(&self) -> Duration {
        Duration::from_secs_f64(self.attempt_us.unwrap_or(0.0) / 1e6)
    }

    /// The same, where an attempt is already known to take so long.
    pub(crate) fn at_best(self, took: Duration) -> Self {
        let took = took.as_secs_f64() * 1e6;
        Self { attempt_us: self.attempt_us.map(|average| average.max(took)), ..self }
    }

    /// Whether the endpoint is known to answer quickly.
    pub(crate) fn is_fast(&self) -> bool {
        self.attempt_us.is_some_and(|us| us < FAST_US)
    }

    /// How many deliveries the lane takes: at least `floor` when it can start them within half a lease, more when it is fast.
    pub(crate) fn depth(&self, slots: usize, floor: usize, lease: Duration) -> usize {
        let Some(rate) = self.rate(slots) else { return UNKNOWN.max(floor) };
        let startable = whole(rate * lease.as_secs_f64() / 2.0).max(slots);
        let ahead = whole(rate * AHEAD.as_secs_f64()).clamp(floor, MOST);
        startable.min(ahead)
    }
}

fn slots_f64(slots: usize) -> f64 {
    f64::from(u32::try_from(slots).unwrap_or(u32::MAX))
}

/// Rounds down; `as` saturates, which is what a depth wants.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a saturating float-to-integer conversion is meant"
)]
pub(crate) fn whole(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn speed(took: Duration) -> Speed {
        let mut speed = Speed::default();
        for _ in 0..ENOUGH {
            speed.note(took);
        }
        speed
    }

    #[test]
    fn one_attempt_tells_a_slow_endpoint_but_no_fast_one() {
        let mut speed = Speed::default();
        assert_eq!(speed.depth(10, 256, LEASE), UNKNOWN);
        speed.note(Duration::from_millis(1));
        assert_eq!(speed.depth(10, 256, LEASE), UNKNOWN);
        let mut speed = Speed::default();
        speed.note(Duration::from_secs(15));
        assert_eq!(speed.depth(10, 256, LEASE), 20);
    }

    #[test]
    fn a_hanging_endpoint_takes_no_more_than_it_can_start_within_half_a_lease() {
        assert_eq!(speed(Duration::from_secs(15)).depth(10, 256, LEASE), 20);
    }

    #[test]
    fn an_ordinary_endpoint_takes_the_floor() {
        assert_eq!(speed(Duration::from_millis(100)).depth(10, 256, LEASE), 256);
    }

    #[test]
    fn a_fast_endpoint_takes_two_seconds_of_work() {
        assert_eq!(speed(Duration::from_millis(2)).depth(10, 256, LEASE), 10_000);
    }
}
