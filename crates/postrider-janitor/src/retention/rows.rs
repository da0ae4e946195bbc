//! What goes row by row, in chunks: the ledger, recorded failures, the audit log, jobs that have ended,
//! batches that nobody waits for, and answers that the API keeps.

use jiff::{SignedDuration, Timestamp};
use postrider_store::StoreError;
use postrider_store::retention::{self, Records};
use tracing::{info, warn};

use super::Round;

const CHUNK: i64 = 5000;
/// A batch ends with the record of its last attempt. Only where all its members were cancelled, or ended without one, it stays; for
/// so long at least.
const BATCH_STAYS: SignedDuration = SignedDuration::from_hours(1);
/// How long the API gives an answer again.
const ANSWERS_STAY: SignedDuration = SignedDuration::from_hours(24);
/// So many rows must have gone since the ledger's index was made anew before it is again, and a quarter of those that stay.
const REINDEX_AFTER: i64 = 1_000_000;

/// Ids of events, from the oldest `seq` on.
pub(super) async fn ledger(round: &mut Round<'_>, cutoff: Timestamp) -> Result<(), StoreError> {
    if !round.report.dry_run {
        retention::mark_ledger(round.maintenance, Some(round.now)).await?;
    }
    let ledger = retention::ledger(round.maintenance, cutoff).await?;
    if round.report.dry_run {
        round.report.ledger = retention::count_ledger(round.maintenance, &ledger).await?;
        return Ok(());
    }
    let mut from = ledger.pruned_to;
    while from < ledger.prune_to && round.goes_on() {
        let to = from.saturating_add(CHUNK).min(ledger.prune_to);
        round.report.ledger +=
            retention::prune_ledger(round.maintenance, from, to, ledger.before).await?;
        from = to;
    }
    let turned_over = from - ledger.indexed_at;
    if turned_over >= REINDEX_AFTER.max((ledger.last_seq - from) / 4) && round.goes_on() {
        match retention::reindex_ledger(round.maintenance).await {
            Ok(()) => info!(turned_over, "made the ledger's index anew"),
            Err(error) => {
                warn!(%error, "could not make the ledger's index anew; the old one serves, slower")
            }
        }
    }
    Ok(())
}

/// Failed publishes and failed events.
pub(super) async fn failures(round: &mut Round<'_>, cutoff: Timestamp) -> Result<(), StoreError> {
    round.report.publish_failures = records(round, Records::PublishFailures, cutoff).await?;
    round.report.failed_events = records(round, Records::FailedEvents, cutoff).await?;
    Ok(())
}

/// What people changed.
pub(super) async fn audit(round: &mut Round<'_>, cutoff: Timestamp) -> Result<(), StoreError> {
    round.report.audit = records(round, Records::Audit, cutoff).await?;
    Ok(())
}

/// Bulk work that has ended.
pub(super) async fn jobs(round: &mut Round<'_>, cutoff: Timestamp) -> Result<(), StoreError> {
    round.report.jobs = records(round, Records::Jobs, cutoff).await?;
    Ok(())
}

/// Batches whose members have all ended without them.
pub(super) async fn batches(round: &mut Round<'_>) -> Result<(), StoreError> {
    let cutoff = round.now.checked_sub(BATCH_STAYS).unwrap_or(Timestamp::MIN);
    while !round.report.dry_run && round.goes_on() {
        if retention::prune_batches(round.maintenance, cutoff, CHUNK).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// Answers that are given again to whoever asks the same with the same idempotency key.
pub(super) async fn idempotency(round: &mut Round<'_>) -> Result<(), StoreError> {
    let cutoff = round.now.checked_sub(ANSWERS_STAY).unwrap_or(Timestamp::MIN);
    while !round.report.dry_run && round.goes_on() {
        if retention::prune_idempotency(round.maintenance, cutoff, CHUNK).await? == 0 {
            break;
        }
    }
    Ok(())
}

async fn records(
    round: &mut Round<'_>,
    which: Records,
    cutoff: Timestamp,
) -> Result<u64, StoreError> {
    if round.report.dry_run {
        return retention::count_records(round.maintenance, which, cutoff).await;
    }
    let mut gone = 0;
    while round.goes_on() {
        let chunk = retention::prune_records(round.maintenance, which, cutoff, CHUNK).await?;
        gone += chunk;
        if chunk == 0 {
            break;
        }
    }
    Ok(gone)
}
