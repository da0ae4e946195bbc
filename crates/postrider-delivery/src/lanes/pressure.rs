//! When fan-out waits: while what it hands off would only pile up. Where memory is short it does not wait, for the database has
//! room: then everything overflows. Both are bounded, so nothing here can hold anybody up for ever.

use std::time::{Duration, Instant};

use super::{Inner, Lanes, lock};

/// The longest that fan-out waits for a lane to drain, a batch.
const PACE: Duration = Duration::from_millis(100);
/// The longest that it waits for the recorder, a batch.
const RECORDER: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Lanes {
    /// Waits, a second at most, while the recorder is behind, and 100 ms at most while lanes filled last are crowded but drain
    /// quickly.
    pub async fn pace(&self) {
        let begun = Instant::now();
        while self.0.recorder_is_behind()
            && begun.elapsed() < RECORDER
            && !self.0.stop.soft_requested()
        {
            self.0.stop.soft_within(LOOK_AGAIN).await;
        }
        let until = Instant::now() + PACE;
        let crowded = std::mem::take(&mut *lock(&self.0.crowded));
        for lane in crowded {
            // A signal may be left over from an earlier wait that ran out of time.
            while lane.is_worth_waiting_for(self.0.depth()) {
                if tokio::time::timeout_at(until.into(), lane.drained.notified()).await.is_err() {
                    return;
                }
            }
        }
    }
}

impl Inner {
    /// Whether half of what may wait to be recorded does: the database has enough to do with that, and slots soon wait for it.
    fn recorder_is_behind(&self) -> bool {
        let outcomes = lock(&self.outcomes);
        outcomes.as_ref().is_some_and(|queue| queue.capacity() < queue.max_capacity() / 2)
    }
}
