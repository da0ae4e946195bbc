//! Failures of our own egress proxy: each is counted, and one line in ten seconds says how many there were.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use postrider_runtime::Metrics;
use tracing::warn;

use crate::lanes::lock;

const SAID_EVERY: Duration = Duration::from_secs(10);

/// What has happened and was not said yet.
#[derive(Default)]
pub(crate) struct ProxyTrouble(Mutex<Unsaid>);

#[derive(Default)]
struct Unsaid {
    failures: u64,
    said_at: Option<Instant>,
}

impl ProxyTrouble {
    /// Counts one, and says so if it is time to.
    pub(crate) fn note(&self, metrics: &Metrics) {
        metrics.proxy_failures.inc();
        if let Some(failures) = self.count(Instant::now()) {
            warn!(
                failures,
                "the egress proxy did not connect us {failures} times; deliveries wait for it, and none of this counts as an attempt"
            );
        }
    }

    /// One more at this time; how many there were since it was last said, if it is to be said now.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut unsaid = lock(&self.0);
        unsaid.failures += 1;
        if unsaid.said_at.is_some_and(|at| now.saturating_duration_since(at) < SAID_EVERY) {
            return None;
        }
        unsaid.said_at = Some(now);
        Some(std::mem::take(&mut unsaid.failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_once_and_then_every_ten_seconds_with_what_came_between() {
        let (trouble, now) = (ProxyTrouble::default(), Instant::now());
        assert_eq!(trouble.count(now), Some(1));
        for second in 1..10 {
            assert_eq!(trouble.count(now + Duration::from_secs(second)), None);
        }
        assert_eq!(trouble.count(now + SAID_EVERY), Some(10));
        assert_eq!(trouble.count(now + SAID_EVERY), None);
    }
}
