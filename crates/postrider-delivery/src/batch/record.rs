//! Writes what came of batches, and does not give up: what a receiver has accepted is worth more than an attempt.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use postrider_runtime::Pacer;
use postrider_store::batches::{self, BatchRecords};
use postrider_store::deliveries::Recorded;
use postrider_store::{ErrorKind, StoreError};
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::lanes::{Inner, lock};

/// Members whose outcomes one transaction writes, if it is more than one batch.
const MOST_MEMBERS: usize = 1_000;

/// Batches that are over and wait to be recorded. Whoever has the turn writes all that wait, in one transaction: ten at a time, each
/// in its own, took 13 µs a delivery and as many flushes (PostgreSQL 15, 2 cores, 2026-11-21).
#[derive(Default)]
pub(crate) struct Unrecorded {
    waiting: Mutex<VecDeque<(BatchRecords, oneshot::Sender<()>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Unrecorded {
    fn take(&self) -> Vec<(BatchRecords, oneshot::Sender<()>)> {
        let mut waiting = lock(&self.waiting);
        let (mut taken, mut members) = (Vec::new(), 0);
        while let Some((records, _)) = waiting.front() {
            members += records.len();
            if members > MOST_MEMBERS && !taken.is_empty() {
                break;
            }
            taken.extend(waiting.pop_front());
        }
        taken
    }
}

impl Inner {
    /// Returns when it is written. A hard stop drops this in the middle: then the leases end, and the batch is sent again.
    pub(super) async fn record_batch(&self, records: BatchRecords) {
        let (told, mut written) = oneshot::channel();
        lock(&self.unrecorded.waiting).push_back((records, told));
        while written.try_recv().is_err() {
            let _turn = self.unrecorded.turn.lock().await;
            let (all, told): (Vec<_>, Vec<_>) = self.unrecorded.take().into_iter().unzip();
            self.record_batches(all).await;
            for told in told {
                // Nobody waits any more after a hard stop.
                let _ = told.send(());
            }
        }
    }

    async fn record_batches(&self, all: Vec<BatchRecords>) {
        if all.len() > 1
            && let Ok(Some(recorded)) = batches::record_together(&self.db, self.owner, &all).await
        {
            return all
                .iter()
                .zip(recorded)
                .for_each(|(records, of)| self.note_recorded(records, of));
        }
        // What one of them lost or what is refused of it is its own affair.
        for records in all {
            self.record_alone(records).await;
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
