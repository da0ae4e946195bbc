//! Writes what came of batches, and does not give up: what a receiver has accepted is worth more than an attempt.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use postrider_runtime::Pacer;
use postrider_store::batches::{self, BatchRecords};
use postrider_store::deliveries::Recorded;
use postrider_store::{ErrorKind, StoreError};
use tokio::sync::oneshot;
use tracing::{debug, error, warn};

use crate::lanes::{Inner, lock};

/// Members whose outcomes one transaction writes, if it is more than one batch.
const MOST_MEMBERS: usize = 1_000;
/// Each batch has a statement of its own for its attempts.
const MOST_BATCHES: usize = 32;

/// Batches that are over and wait to be recorded. Whoever has the turn writes all that wait, in one transaction: ten at a time, each
/// in its own, took 13 µs a delivery and as many flushes (PostgreSQL 15, 2 cores, 2026-11-21).
#[derive(Default)]
pub(crate) struct Unrecorded {
    waiting: Mutex<VecDeque<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

/// A batch, and who waits for it: told that it is written, or given it back to write it alone.
type Waiting = (BatchRecords, oneshot::Sender<Result<(), BatchRecords>>);

impl Unrecorded {
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = lock(&self.waiting);
        let (mut taken, mut members) = (Vec::new(), 0);
        while let Some((records, _)) = waiting.front() {
            members += records.len();
            if !taken.is_empty() && (members > MOST_MEMBERS || taken.len() >= MOST_BATCHES) {
                break;
            }
            taken.extend(waiting.pop_front());
        }
        taken
    }
}

impl Inner {
    /// Returns when it is written, or cannot be; `false` if nobody knows what became of it. A hard stop drops this in the middle: then
    /// the leases end, and the batch is sent again.
    pub(super) async fn record_batch(&self, records: BatchRecords) -> bool {
        let batch = records.batch;
        let (tell, mut told) = oneshot::channel();
        lock(&self.unrecorded.waiting).push_back((records, tell));
        loop {
            let answer = tokio::select! {
                biased;
                answer = &mut told => answer,
                _turn = self.unrecorded.turn.lock() => {
                    self.record_waiting().await;
                    continue;
                }
            };
            match answer {
                Ok(Ok(())) => {}
                Ok(Err(records)) => self.record_alone(records).await,
                Err(_) => {
                    error!(batch.id = %batch, "nobody wrote what came of {batch}; its leases end by themselves");
                    return false;
                }
            }
            return true;
        }
    }

    /// Tries once to write what waits. What one of them lost or what is refused of it is its own affair, outside the turn.
    async fn record_waiting(&self) {
        let (all, tell): (Vec<_>, Vec<_>) = self.unrecorded.take().into_iter().unzip();
        if all.is_empty() {
            return;
        }
        let recorded = batches::record_together(&self.db, self.owner, &all).await;
        if let Err(failure) = &recorded {
            self.sender.metrics.db_error("recorder");
            debug!(batches = all.len(), error = %failure, "batches are recorded one by one: {failure}");
        }
        let mut recorded = recorded.ok().flatten().unwrap_or_default().into_iter();
        for (records, tell) in all.into_iter().zip(tell) {
            let answer = match recorded.next() {
                Some(recorded) => {
                    self.note_recorded(&records, recorded);
                    Ok(())
                }
                None => Err(records),
            };
            // Nobody waits any more after a hard stop.
            let _ = tell.send(answer);
        }
    }

    /// Writes until it is written.
    async fn record_alone(&self, mut records: BatchRecords) {
        let mut pacer = Pacer::new(Duration::from_millis(20), Duration::from_secs(2));
        loop {
            match batches::record(&self.db, self.owner, &records).await {
                Ok(recorded) => return self.note_recorded(&records, recorded),
                Err(failure) if failure.kind() == ErrorKind::Content => {
                    if !simplify(&mut records, &failure) {
                        return;
                    }
                }
                Err(failure) => {
                    self.sender.metrics.db_error("recorder");
                    let wait = pacer.next();
                    warn!(batch.id = %records.batch, error = %failure, wait_ms = wait.as_millis(), "recording {} waits: {failure}", records.batch);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn note_recorded(&self, records: &BatchRecords, recorded: Recorded) {
        // Counted from after the commit, so that the rows are due when the timer fires.
        if let Some(after) = records.reschedules.iter().map(|reschedule| reschedule.after).min() {
            self.due.at(records.endpoint, Instant::now() + after);
        }
        let Recorded { lost, doubled, .. } = recorded;
        if doubled > 0 {
            error!(batch.id = %records.batch, deliveries = doubled, "{doubled} deliveries of {} were closed twice; please report this", records.batch);
        }
        if lost > 0 {
            self.sender.metrics.leases_lost.inc_by(lost);
            warn!(batch.id = %records.batch, deliveries = lost, "{lost} deliveries of {} came back too late: their leases had passed to another worker", records.batch);
        }
    }
}

/// Leaves out what a receiver said, then the attempt itself; `false` if there is nothing left to leave out.
fn simplify(records: &mut BatchRecords, failure: &StoreError) -> bool {
    let (batch, request) = (records.batch, &mut records.request);
    if !(request.headers.is_empty() && request.body.is_empty() && request.peer.is_none()) {
        warn!(batch.id = %batch, error = %failure, "the answer to {batch} cannot be kept as it came");
        (request.headers, request.body, request.peer) = (Vec::new(), Vec::new(), None);
        return true;
    }
    if !request.members.is_empty() {
        error!(batch.id = %batch, error = %failure, "the attempt of {batch} cannot be recorded");
        request.members.clear();
        return true;
    }
    error!(batch.id = %batch, error = %failure, "what came of {batch} cannot be recorded; it falls due again");
    false
}
