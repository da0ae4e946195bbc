//! The request to stop, in two steps.
//!
//! Soft: take nothing new, finish what is in hand. Hard: abandon what is in hand. Hard implies soft, and neither is ever
//! taken back.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// A handle on the request to stop. Clones share it; children follow it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    /// A request nobody has made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to take nothing new and to finish what is in hand.
    pub fn request_soft(&self) {
        self.soft.cancel();
    }

    /// Asks to abandon what is in hand.
    pub fn request_hard(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Whether a stop of either kind was requested.
    #[must_use]
    pub fn soft_requested(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Whether a hard stop was requested.
    #[must_use]
    pub fn hard_requested(&self) -> bool {
        self.hard.is_cancelled()
    }

    /// Waits until a stop of either kind is requested; at once if it was.
    pub async fn soft(&self) {
        self.soft.cancelled().await;
    }

    /// Waits until a hard stop is requested; at once if it was.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }

    /// Sleeps, but no longer than until a stop is requested. Says whether one was.
    pub async fn soft_within(&self, wait: Duration) -> bool {
        tokio::time::timeout(wait, self.soft()).await.is_ok()
    }

    /// A stop of its own for a part of the process: it also stops when this one does.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { soft: self.soft.child_token(), hard: self.hard.child_token() }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn hard_implies_soft() {
        let stop = Stop::new();
        assert!(!stop.soft_requested() && !stop.hard_requested());
        stop.clone().request_hard();
        assert!(stop.soft_requested() && stop.hard_requested());
        stop.soft().await;
        stop.hard().await;
    }

    #[tokio::test]
    async fn soft_leaves_what_is_in_hand_alone() {
        let stop = Stop::new();
        stop.request_soft();
        assert!(stop.soft_requested());
        assert!(!stop.hard_requested());
    }

    #[tokio::test]
    async fn a_child_follows_its_parent_and_not_the_other_way_round() {
        let parent = Stop::new();
        let (first, second) = (parent.child(), parent.child());
        first.request_hard();
        assert!(first.hard_requested() && !parent.soft_requested() && !second.soft_requested());
        parent.request_soft();
        assert!(second.soft_requested() && !second.hard_requested());
        parent.request_hard();
        assert!(second.hard_requested());
        assert!(parent.child().hard_requested(), "a child born late knows too");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_ends_with_the_request() {
        let stop = Stop::new();
        let start = Instant::now();
        assert!(!stop.soft_within(Duration::from_secs(5)).await);
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        stop.request_soft();
        assert!(stop.soft_within(Duration::from_secs(5)).await);
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }
}
