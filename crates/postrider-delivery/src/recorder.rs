//! Writes outcomes in batches: one statement closes the delivered, one reschedules the failed, one keeps the attempts.
//! Takes what the slots send it, flushes at 512 or after 3 ms, and retries until the database has it: an outcome is worth
//! more than an attempt. One bad answer of one receiver never costs the others of its batch.

use std::time::{Duration, Instant};

use postrider_core::ids::DeliveryId;
use postrider_runtime::{Metrics, Pacer, Stop};
use postrider_store::deliveries::{AttemptRecord, Close, Recorded, Records, Reschedule, record};
use postrider_store::{Db, ErrorKind, StoreError};
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::due::Due;

const FLUSH_AT: usize = 512;
const FLUSH_AFTER: Duration = Duration::from_millis(3);
/// Slots wait when this many outcomes are unwritten.
const QUEUE: usize = 4096;

/// One outcome and, where the history wants it, the attempt.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) state: Next,
    pub(crate) attempt: Option<AttemptRecord>,
}

/// The delivery's next state.
#[derive(Debug)]
pub(crate) enum Next {
    Close(Close),
    Reschedule(Reschedule),
}

/// Where slots put outcomes. The recorder ends when all of them are dropped and everything is written.
pub(crate) type Outcomes = mpsc::Sender<Outcome>;

/// The recorder's end of the queue.
pub(crate) struct Recorder {
    db: Db,
    owner: i64,
    metrics: Metrics,
    due: Due,
    outcomes: mpsc::Receiver<Outcome>,
}

impl Recorder {
    pub(crate) fn new(db: Db, owner: i64, metrics: Metrics, due: Due) -> (Outcomes, Self) {
        let (sender, outcomes) = mpsc::channel(QUEUE);
        (sender, Self { db, owner, metrics, due, outcomes })
    }

    /// Runs until every sender is gone and all is written; a hard stop ends retrying against a database that is away.
    pub(crate) async fn run(mut self, stop: Stop) -> Unwritten {
        let mut batch = Vec::with_capacity(FLUSH_AT);
        while self.outcomes.recv_many(&mut batch, FLUSH_AT).await > 0 {
            let deadline = tokio::time::Instant::now() + FLUSH_AFTER;
            while batch.len() < FLUSH_AT {
                let room = FLUSH_AT - batch.len();
                match tokio::time::timeout_at(deadline, self.outcomes.recv_many(&mut batch, room))
                    .await
                {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
            let records = sorted(batch.drain(..));
            let count = records.len();
            if !self.write(records, &stop).await {
                return Unwritten(count + self.outcomes.len());
            }
        }
        Unwritten(0)
    }

    /// Writes until it is written. `false`: stopped hard while the database was away.
    async fn write(&self, records: Records, stop: &Stop) -> bool {
        let mut pacer = Pacer::new(Duration::from_millis(20), Duration::from_secs(2));
        let started = Instant::now();
        loop {
            match record(&self.db, self.owner, &records).await {
                Ok(recorded) => {
                    self.note(&records, recorded, started);
                    return true;
                }
                Err(failure) if failure.kind() == ErrorKind::Content => {
                    return Box::pin(self.bisect(records, failure, stop)).await;
                }
                Err(failure) => {
                    self.metrics.db_error("recorder");
                    let wait = pacer.next();
                    warn!(error = %failure, outcomes = records.len(), wait_ms = wait.as_millis(), "recording waits: {failure}");
                    if stop.hard_requested() {
                        return false;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stop.hard() => {}
                    }
                }
            }
        }
    }

    /// A batch was refused for its content: halves, down to the row, which is then written with the least there is.
    async fn bisect(&self, mut records: Records, failure: StoreError, stop: &Stop) -> bool {
        if records.len() + records.attempts.len() > 2 || records.len() > 1 {
            let rest = split(&mut records);
            return self.write(records, stop).await && self.write(rest, stop).await;
        }
        if let Some(attempt) = records.attempts.first_mut()
            && !(attempt.headers.is_empty() && attempt.body.is_empty() && attempt.peer.is_none())
        {
            warn!(delivery.id = %attempt.delivery, error = %failure, "an answer of delivery {} cannot be kept as it came", attempt.delivery);
            (attempt.headers, attempt.body, attempt.peer) = (Vec::new(), Vec::new(), None);
            return self.write(records, stop).await;
        }
        if let Some(attempt) = records.attempts.pop() {
            error!(delivery.id = %attempt.delivery, error = %failure, "the attempt of delivery {} cannot be recorded", attempt.delivery);
            return self.write(records, stop).await;
        }
        error!(error = %failure, outcomes = records.len(), "an outcome cannot be recorded; its delivery falls due again");
        true
    }

    fn note(&self, records: &Records, recorded: Recorded, started: Instant) {
        // Counted from after the commit, so that the row is due when the timer fires.
        let now = Instant::now();
        for reschedule in &records.reschedules {
            self.due.at(reschedule.endpoint, now + reschedule.after);
        }
        // The next of their order keys have their turn at once.
        let mut next: Vec<_> = records.closes.iter().filter_map(|close| close.next_of).collect();
        next.dedup();
        for endpoint in next {
            self.due.at(endpoint, now);
        }
        self.metrics
            .recorder_flush
            .observe(f64::from(u32::try_from(records.len()).unwrap_or(u32::MAX)));
        if recorded.lost > 0 {
            self.metrics.leases_lost.inc_by(recorded.lost);
            warn!(
                outcomes = recorded.lost,
                "{} outcomes came too late: their leases had passed to another worker",
                recorded.lost
            );
        }
        if recorded.doubled > 0 {
            error!(
                deliveries = recorded.doubled,
                "{} deliveries were closed twice; please report this", recorded.doubled
            );
        }
        let slow = started.elapsed();
        if slow > Duration::from_secs(5) {
            warn!(outcomes = records.len(), took_ms = slow.as_millis(), "recording took {slow:?}");
        }
    }
}

/// How many outcomes were left unwritten; their deliveries fall due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unwritten(pub(crate) usize);

/// Sorts a batch into its statements, each in delivery-id order, the order in which rows are locked.
fn sorted(batch: impl Iterator<Item = Outcome>) -> Records {
    let mut records = Records::default();
    for outcome in batch {
        match outcome.state {
            Next::Close(close) => records.closes.push(close),
            Next::Reschedule(reschedule) => records.reschedules.push(reschedule),
        }
        records.attempts.extend(outcome.attempt);
    }
    records.closes.sort_unstable_by_key(|close| close.id.0);
    records.reschedules.sort_unstable_by_key(|reschedule| reschedule.id.0);
    records.attempts.sort_unstable_by_key(|attempt| attempt.delivery.0);
    records
}

/// Takes half of the deliveries, with their attempts, out of a batch.
fn split(records: &mut Records) -> Records {
    let mut rest = Records {
        closes: records.closes.split_off(records.closes.len().div_ceil(2)),
        reschedules: records.reschedules.split_off(records.reschedules.len() / 2),
        attempts: Vec::new(),
    };
    let moved: std::collections::HashSet<DeliveryId> = rest
        .closes
        .iter()
        .map(|close| close.id)
        .chain(rest.reschedules.iter().map(|reschedule| reschedule.id))
        .collect();
    let (theirs, ours) = std::mem::take(&mut records.attempts)
        .into_iter()
        .partition(|attempt| moved.contains(&attempt.delivery));
    records.attempts = ours;
    rest.attempts = theirs;
    rest
}
