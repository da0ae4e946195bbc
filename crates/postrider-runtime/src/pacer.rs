//! How long to wait after a failure: longer each time, never the same for two processes.
//!
//! The only place that knows the `backoff` crate, which is used for its arithmetic alone.

use std::time::Duration;

use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

/// A wait is drawn from 25 % below to 25 % above its nominal length.
const JITTER: f64 = 0.25;

/// Grows the waits between tries of something that fails.
#[derive(Debug)]
pub struct Pacer {
    waits: ExponentialBackoff,
    max: Duration,
}

impl Pacer {
    /// Waits that begin at about `min`, double, and never exceed `max`.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        let waits = ExponentialBackoffBuilder::new()
            .with_initial_interval(min)
            .with_multiplier(2.0)
            .with_randomization_factor(JITTER)
            .with_max_interval(max.div_f64(1.0 + JITTER).max(min))
            .with_max_elapsed_time(None)
            .build();
        Self { waits, max }
    }

    /// How long to wait before the next try.
    #[expect(
        clippy::should_implement_trait,
        reason = "endless: an Option at every call would be noise"
    )]
    pub fn next(&mut self) -> Duration {
        self.waits.next_backoff().unwrap_or(self.max).min(self.max)
    }

    /// Something worked: the next failure waits `min` again.
    pub fn reset(&mut self) {
        self.waits.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_ceiling_and_start_over() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut pacer = Pacer::new(min, max);
        for round in 0..2 {
            let waits: Vec<Duration> = (0..12).map(|_| pacer.next()).collect();
            assert!(
                waits[0] >= min.mul_f64(0.74) && waits[0] <= min.mul_f64(1.26),
                "round {round}: {waits:?}"
            );
            assert!(waits.iter().all(|wait| *wait <= max), "{waits:?}");
            assert!(waits[11] >= max.mul_f64(0.5), "{waits:?}");
            pacer.reset();
        }
    }

    #[test]
    fn two_processes_do_not_wait_in_step() {
        let waits = || {
            let mut pacer = Pacer::new(Duration::from_millis(100), Duration::from_secs(60));
            (0..8).map(|_| pacer.next()).collect::<Vec<_>>()
        };
        assert_ne!(waits(), waits());
    }

    #[test]
    fn a_floor_above_the_ceiling_still_ends_at_the_ceiling() {
        let mut pacer = Pacer::new(Duration::from_secs(10), Duration::from_secs(1));
        assert_eq!(pacer.next(), Duration::from_secs(1));
    }
}
