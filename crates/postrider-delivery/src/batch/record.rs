//! Writes what came of a batch, and does not give up: what a receiver has accepted is worth more than an attempt.

use std::time::{Duration, Instant};

use postrider_runtime::Pacer;
use postrider_store::batches::{self, BatchRecords};
use postrider_store::deliveries::Recorded;
use postrider_store::{ErrorKind, StoreError};
use tracing::{error, warn};

use crate::lanes::Inner;

impl Inner {
    /// Writes until it is written. A hard stop drops this in the middle: then the leases end, and the batch is sent again.
    pub(super) async fn record_batch(&self, mut records: BatchRecords) {
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
