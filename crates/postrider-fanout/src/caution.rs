//! Poison isolation: when events are taken one at a time, and when a try is counted before the work.
//!
//! Only what the event itself causes counts as a try. A batch refused for its content is done again in batches of one, and
//! the one that is refused alone is to blame. After a crash the first batches are of one as well, with each try counted
//! and committed before the work, so that an event that kills the process ends among the failed.

/// Tries before an event is moved to `webhook_events_failed`.
pub(crate) const MAX_TRIES: i16 = 10;

/// How the next claim goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A batch of this many.
    Batch(i64),
    /// One event; a failure counts when it happens.
    Single,
    /// One event; the try is counted before the work.
    Counted,
}

/// Remembers how many more events are to be taken one at a time.
#[derive(Debug)]
pub(crate) struct Caution {
    batch: i64,
    singles: i64,
    counted: i64,
}

impl Caution {
    /// `after_crash`: a worker of this installation died without saying goodbye.
    pub(crate) fn new(batch: i64, after_crash: bool) -> Self {
        Self { batch, singles: 0, counted: if after_crash { batch } else { 0 } }
    }

    /// How to go about the next claim.
    pub(crate) fn step(&self) -> Step {
        match (self.counted, self.singles) {
            (1.., _) => Step::Counted,
            (_, 1..) => Step::Single,
            _ => Step::Batch(self.batch),
        }
    }

    /// A step took `claimed` events; an empty queue ends all caution.
    pub(crate) fn took(&mut self, claimed: usize) {
        if claimed == 0 {
            (self.singles, self.counted) = (0, 0);
        }
        match self.step() {
            Step::Counted => self.counted -= 1,
            Step::Single => self.singles -= 1,
            Step::Batch(_) => {}
        }
    }

    /// A batch was refused for its content: find out which event it was.
    pub(crate) fn refused(&mut self) {
        self.singles = self.batch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_batch_is_done_again_one_by_one_and_then_in_batches() {
        let mut caution = Caution::new(3, false);
        assert_eq!(caution.step(), Step::Batch(3));
        caution.refused();
        for _ in 0..3 {
            assert_eq!(caution.step(), Step::Single);
            caution.took(1);
        }
        assert_eq!(caution.step(), Step::Batch(3));
    }

    #[test]
    fn after_a_crash_tries_are_counted_first_until_the_queue_is_empty() {
        let mut caution = Caution::new(500, true);
        assert_eq!(caution.step(), Step::Counted);
        caution.took(1);
        assert_eq!(caution.step(), Step::Counted);
        caution.took(0);
        assert_eq!(caution.step(), Step::Batch(500));
    }
}
