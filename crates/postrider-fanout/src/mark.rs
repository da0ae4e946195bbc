//! Where a claim starts to look. Normally at the beginning: the queue is a few pages.
//!
//! An old snapshot elsewhere in the cluster keeps deleted queue entries from being vacuumed, and every claim would walk over
//! them again. Once scans are found to be that slow, claims start from a mark that lags 10 s behind what was claimed;
//! a full scan, which finds what committed late below the mark, follows at a hundred times its own cost, until full
//! scans are cheap again. One slow scan alone proves nothing: a new connection or a busy moment makes one too.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const LAG: Duration = Duration::from_secs(10);
const SLOW: Duration = Duration::from_millis(5);
/// What a claimed row may cost before the scan around it counts as slow.
const PER_ROW: Duration = Duration::from_micros(100);
const FULL_SCAN_FACTOR: u32 = 100;
/// Nobody who committed late waits longer for a full scan, whatever it costs.
const MOST_FULL_WAIT: Duration = Duration::from_secs(60);

/// The lagging mark.
#[derive(Debug, Default)]
pub(crate) struct Mark {
    /// Highest claimed `seq` by the time of the claim, a second apart, not older than needed.
    claimed: VecDeque<(Instant, i64)>,
    /// What the last full scan cost, if it was slow.
    slow: Option<Duration>,
    /// When the next full scan is due, if the mark is in use.
    next_full: Option<Instant>,
}

impl Mark {
    /// The `seq` after which the next claim looks; 0 for a full scan.
    pub(crate) fn after(&self, now: Instant) -> i64 {
        if self.next_full.is_none_or(|at| now >= at) {
            return 0;
        }
        self.claimed
            .iter()
            .take_while(|(at, _)| now.duration_since(*at) >= LAG)
            .last()
            .map_or(0, |(_, seq)| *seq)
    }

    /// Notes what a claim found and cost.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        after: i64,
        rows: usize,
        highest: Option<i64>,
        cost: Duration,
    ) {
        if let Some(seq) = highest
            && self
                .claimed
                .back()
                .is_none_or(|(at, _)| now.duration_since(*at) >= Duration::from_secs(1))
        {
            let seq = seq.max(self.claimed.back().map_or(0, |(_, seq)| *seq));
            self.claimed.push_back((now, seq));
            while self.claimed.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= LAG) {
                self.claimed.pop_front();
            }
        }
        if after == 0 {
            let rows = u32::try_from(rows).unwrap_or(u32::MAX);
            let slow = (cost > SLOW + PER_ROW.saturating_mul(rows)).then_some(cost);
            self.next_full = slow.zip(self.slow).map(|(this, last)| {
                now + this.min(last).saturating_mul(FULL_SCAN_FACTOR).min(MOST_FULL_WAIT)
            });
            self.slow = slow;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_scans_always_start_at_the_beginning() {
        let (mut mark, now) = (Mark::default(), Instant::now());
        mark.note(now, 0, 500, Some(500), Duration::from_millis(4));
        assert_eq!(mark.after(now + Duration::from_secs(60)), 0);
    }

    #[test]
    fn slow_scans_make_the_mark_lag_ten_seconds_behind() {
        let (mut mark, start) = (Mark::default(), Instant::now());
        for second in 0..30u64 {
            let seq = i64::try_from(second).expect("small") * 1000 + 1;
            mark.note(
                start + Duration::from_secs(second),
                1,
                1,
                Some(seq),
                Duration::from_millis(1),
            );
        }
        let now = start + Duration::from_secs(30);
        mark.note(now, 0, 0, None, Duration::from_secs(3));
        assert_eq!(mark.after(now), 0, "one slow scan alone proves nothing");
        mark.note(now, 0, 0, None, Duration::from_millis(50));
        assert_eq!(mark.after(now), 20_001, "what was claimed ten seconds ago");
        assert_eq!(
            mark.after(now + Duration::from_secs(5)),
            0,
            "a full scan after a hundred times its cost"
        );
    }

    #[test]
    fn a_cheap_full_scan_ends_the_lag() {
        let (mut mark, now) = (Mark::default(), Instant::now());
        mark.note(now, 0, 1, Some(7), Duration::from_millis(50));
        let now = now + LAG;
        mark.note(now, 0, 0, None, Duration::from_millis(50));
        assert_eq!(mark.after(now), 7);
        mark.note(now, 0, 0, None, Duration::from_micros(300));
        assert_eq!(mark.after(now), 0);
    }

    #[test]
    fn no_scan_is_so_slow_that_a_late_committer_waits_for_ever() {
        let (mut mark, now) = (Mark::default(), Instant::now());
        mark.note(now, 0, 1, Some(7), Duration::from_secs(20));
        let now = now + LAG;
        mark.note(now, 0, 0, None, Duration::from_secs(20));
        assert_eq!(mark.after(now + MOST_FULL_WAIT - Duration::from_millis(1)), 7);
        assert_eq!(mark.after(now + MOST_FULL_WAIT), 0);
    }
}
