//! Keeps the health of endpoints: what slots report (`reports`) is judged and written by compare-and-set (`writing`), what
//! other workers wrote is looked at every second (`looking`), and lanes are told whether their deliveries flow.
//! Reads and writes `webhook_endpoint_health`. A success of an endpoint that is well is not even reported.

mod looking;
mod reports;
mod writing;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postrider_runtime::Stop;
use postrider_store::StoreError;
use tracing::warn;

pub(crate) use self::looking::{PAUSED_FOR, admit, look};
pub(crate) use self::reports::Reports;
pub(crate) use self::writing::{flush, give_probes_back};
use crate::lanes::Inner;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looking costs at most a fiftieth of the time, however many endpoints are ill.
const LOOK_FACTOR: u32 = 50;
/// A sixth while somebody keeps asking for it.
const ASKED_FACTOR: u32 = 5;
/// Between two writes, so that an endpoint that fails now and then costs a few a second.
const WRITE_EVERY: Duration = Duration::from_millis(20);
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Writes reports and looks at what others wrote, until stopped.
pub(crate) async fn run(inner: Arc<Inner>, stop: Stop) {
    let mut looks = Looks::from(Instant::now());
    while !stop.soft_requested() {
        let mut pause = WRITE_EVERY;
        if let Err(failure) = pass(&inner, &mut looks).await {
            inner.sender.metrics.db_error("delivery");
            warn!(error = %failure, "the health of endpoints cannot be kept just now: {failure}");
            pause = AFTER_FAILURE;
        }
        stop.soft_within(pause).await;
        let next = looks.due(inner.reports.asked.load(Ordering::Relaxed));
        tokio::select! {
            () = stop.soft() => {}
            () = inner.reports.news.notified() => {}
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

/// Writes what was reported, and looks if it is time to, whatever came of the writing.
async fn pass(inner: &Arc<Inner>, looks: &mut Looks) -> Result<(), StoreError> {
    let flushed = flush(inner).await;
    let started = Instant::now();
    if looks.is_due(started, inner.reports.asked.load(Ordering::Relaxed)) {
        inner.reports.asked.store(false, Ordering::Relaxed);
        look(inner).await?;
        *looks = Looks::made(Instant::now(), started.elapsed());
    }
    flushed
}

/// When a look is due by itself, and from when on one that is asked for is.
struct Looks {
    next: Instant,
    soonest: Instant,
}

impl Looks {
    fn from(now: Instant) -> Self {
        Self { next: now, soonest: now }
    }

    fn is_due(&self, now: Instant, asked: bool) -> bool {
        now >= self.due(asked)
    }

    fn due(&self, asked: bool) -> Instant {
        if asked { self.next.min(self.soonest) } else { self.next }
    }

    /// One has just been made, and took so long.
    fn made(now: Instant, cost: Duration) -> Self {
        Self { next: now + LOOK_EVERY.max(cost * LOOK_FACTOR), soonest: now + cost * ASKED_FACTOR }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_are_asked_for_take_a_sixth_of_the_time_at_most() {
        let now = Instant::now();
        let looks = Looks::made(now, Duration::from_millis(100));
        let due_after = |ms, asked| looks.is_due(now + Duration::from_millis(ms), asked);
        assert!(!due_after(499, true) && due_after(500, true));
        assert!(!due_after(4999, false) && due_after(5000, false));
        let cheap = Looks::made(now, Duration::from_millis(1));
        assert!(cheap.is_due(now + Duration::from_millis(5), true));
        assert!(!cheap.is_due(now + Duration::from_millis(999), false));
    }
}
