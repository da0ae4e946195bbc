//! Where a claim starts to look. Normally at the beginning: the queue is a few pages.
//!
//! An old snapshot elsewhere in the cluster keeps deleted queue entries from being vacuumed, and every claim would walk over
//! them again. Once scans are found to be that slow, claims start from a mark that lags 10 s behind what was claimed;
//! a full scan, which finds what committed late below the mark, follows at a hundred times its own cost, until full
//! scans are cheap again. While batches come back full, and scans from that mark are slow too, a nearer mark does for most
//! of them; nobody sleeps on what only such a scan found. One slow scan alone proves nothing: a new connection or a busy moment
//! makes one too.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const FAR: Duration = Duration::from_secs(10);
const NEAR: Duration = Duration::from_millis(50);
const SLOW: Duration = Duration::from_millis(2);
/// What a claimed row may cost before the scan around it counts as slow.
const PER_ROW: Duration = Duration::from_micros(8);
const FULL_SCAN_FACTOR: u32 = 100;
const FAR_SCAN_FACTOR: u32 = 20;
/// Nobody who committed late waits longer for a full scan, whatever it costs.
const MOST_FULL_WAIT: Duration = Duration::from_secs(60);
/// How far apart the claims are that are remembered.
const STEP: Duration = Duration::from_millis(25);

/// How far back a scan looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Full,
    Far,
    Near,
}

/// A scan: the `seq` after which it looks, and how far back that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) after: i64,
    pub(crate) reach: Reach,
}

/// What a scan found and cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) rows: usize,
    /// As many as were asked for: there may be more.
    pub(crate) full: bool,
    pub(crate) highest: Option<i64>,
    pub(crate) cost: Duration,
}

/// The lagging marks.
#[derive(Debug, Default)]
pub(crate) struct Mark {
    /// Highest claimed `seq` by the time of the claim, not older than needed.
    claimed: VecDeque<(Instant, i64)>,
    /// The last batch came back full.
    draining: bool,
    full: Pace,
    far: Pace,
}

/// When scans of one reach are made again, by what they cost.
#[derive(Debug, Default)]
struct Pace {
    /// What the last one cost, if it was slow.
    slow: Option<Duration>,
    /// When the next is due; none: always.
    next: Option<Instant>,
}

impl Mark {
    /// Where the next claim looks.
    pub(crate) fn next(&self, now: Instant) -> Scan {
        if self.full.is_due(now) {
            return Scan { after: 0, reach: Reach::Full };
        }
        if self.far.is_due(now) || !self.draining {
            return Scan { after: self.claimed_before(now, FAR), reach: Reach::Far };
        }
        Scan { after: self.claimed_before(now, NEAR), reach: Reach::Near }
    }

    /// Notes what a claim found and cost.
    pub(crate) fn note(&mut self, now: Instant, scan: Scan, found: Found) {
        if let Some(seq) = found.highest {
            self.remember(now, seq);
        }
        self.draining = found.full;
        let rows = u32::try_from(found.rows).unwrap_or(u32::MAX);
        let slow = (found.cost > SLOW + PER_ROW.saturating_mul(rows)).then_some(found.cost);
        if scan.reach == Reach::Full {
            self.full.note(now, slow, FULL_SCAN_FACTOR, MOST_FULL_WAIT);
        }
        // A full scan covers the far one.
        if scan.reach != Reach::Near {
            self.far.note(now, slow, FAR_SCAN_FACTOR, FAR);
        }
    }

    fn remember(&mut self, now: Instant, seq: i64) {
        let last = self.claimed.back().copied();
        if last.is_some_and(|(at, _)| now.duration_since(at) < STEP) {
            return;
        }
        self.claimed.push_back((now, seq.max(last.map_or(0, |(_, seq)| seq))));
        while self.claimed.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= FAR) {
            self.claimed.pop_front();
        }
    }

    /// The highest `seq` that was claimed so long ago; 0 if there is none.
    fn claimed_before(&self, now: Instant, lag: Duration) -> i64 {
        let old_enough = |(at, _): &(Instant, i64)| now.duration_since(*at) >= lag;
        let count = self.claimed.partition_point(old_enough);
        count.checked_sub(1).map_or(0, |last| self.claimed[last].1)
    }
}

impl Pace {
    fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|at| now >= at)
    }

    fn note(&mut self, now: Instant, slow: Option<Duration>, factor: u32, most: Duration) {
        self.next = slow
            .zip(self.slow)
            .map(|(this, last)| now + this.min(last).saturating_mul(factor).min(most));
        self.slow = slow;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: usize, highest: i64, cost: Duration) -> Found {
        Found { rows, full: false, highest: (highest > 0).then_some(highest), cost }
    }

    fn full_scan() -> Scan {
        Scan { after: 0, reach: Reach::Full }
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn cheap_scans_always_start_at_the_beginning() {
        let (mut mark, now) = (Mark::default(), Instant::now());
        mark.note(now, full_scan(), found(500, 500, 5 * MS));
        mark.note(now, full_scan(), found(500, 1000, 5 * MS));
        assert_eq!(mark.next(now + Duration::from_secs(60)), full_scan());
    }

    #[test]
    fn slow_scans_make_the_mark_lag_ten_seconds_behind() {
        let (mut mark, start) = (Mark::default(), Instant::now());
        for second in 0..30u32 {
            let seq = i64::from(second) * 1000 + 1;
            let at = start + second * Duration::from_secs(1);
            mark.note(at, Scan { after: 1, reach: Reach::Near }, found(1, seq, MS));
        }
        let now = start + Duration::from_secs(30);
        mark.note(now, full_scan(), found(0, 0, Duration::from_secs(3)));
        assert_eq!(mark.next(now), full_scan(), "one slow scan alone proves nothing");
        mark.note(now, full_scan(), found(0, 0, 50 * MS));
        let far = Scan { after: 20_001, reach: Reach::Far };
        assert_eq!(mark.next(now), far, "what was claimed ten seconds ago");
        let later = now + Duration::from_secs(5);
        assert_eq!(mark.next(later), full_scan(), "a full scan after a hundred times its cost");
    }

    #[test]
    fn a_cheap_full_scan_ends_the_lag() {
        let (mut mark, now) = (Mark::default(), Instant::now());
        mark.note(now, full_scan(), found(1, 7, 50 * MS));
        let now = now + FAR;
        mark.note(now, full_scan(), found(0, 0, 50 * MS));
        assert_eq!(mark.next(now), Scan { after: 7, reach: Reach::Far });
        mark.note(now, full_scan(), found(0, 0, MS));
        assert_eq!(mark.next(now), full_scan());
    }

    #[test]
    fn no_scan_is_so_slow_that_a_late_committer_waits_for_ever() {
        let (mut mark, now) = (Mark::default(), Instant::now());
        mark.note(now, full_scan(), found(1, 7, Duration::from_secs(20)));
        let now = now + FAR;
        mark.note(now, full_scan(), found(0, 0, Duration::from_secs(20)));
        assert_eq!(mark.next(now + MOST_FULL_WAIT - MS).after, 7);
        assert_eq!(mark.next(now + MOST_FULL_WAIT), full_scan());
    }

    #[test]
    fn a_near_mark_does_only_while_batches_are_full_and_far_scans_slow() {
        let (mut mark, start) = (Mark::default(), Instant::now());
        let full = |seq, cost| Found { rows: 500, full: true, highest: Some(seq), cost };
        mark.note(start, full_scan(), full(500, 30 * MS));
        mark.note(start + 30 * MS, full_scan(), full(1000, 30 * MS));
        let now = start + 90 * MS;
        assert_eq!(mark.next(now), Scan { after: 1000, reach: Reach::Near });
        let far = Scan { after: 0, reach: Reach::Far };
        assert_eq!(mark.next(start + 630 * MS), far, "at twenty times its cost");
        mark.note(now, Scan { after: 1000, reach: Reach::Near }, found(3, 1003, MS));
        assert_eq!(mark.next(now), far, "nobody sleeps on what a near scan did not find");
    }
}
