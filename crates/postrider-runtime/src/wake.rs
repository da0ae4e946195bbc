//! Telling an idle loop that there is work. A wake-up carries no data: all truth is in the rows, so a doubled or early
//! one costs a query and nothing else.

use std::sync::Arc;

use tokio::sync::Notify;

/// A doorbell for one sleeper. Rings while nobody waits are kept, as one.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// A doorbell that nobody has rung.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rings. Never waits.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring; at once if there was one since the last answer.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_rings_are_answered_once() {
        let wake = Wake::new();
        assert!(timeout(Duration::from_secs(1), wake.woken()).await.is_err(), "nobody rang");
        for _ in 0..3 {
            wake.clone().wake();
        }
        wake.woken().await;
        assert!(timeout(Duration::from_secs(1), wake.woken()).await.is_err(), "rings coalesce");
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_during_the_wait_ends_it() {
        let wake = Wake::new();
        let ringer = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            wake.wake();
        };
        let waited = timeout(Duration::from_secs(2), wake.woken());
        let ((), waited) = tokio::join!(ringer, waited);
        assert!(waited.is_ok());
    }
}
