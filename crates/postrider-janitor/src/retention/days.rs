//! What goes by the day: bodies, closed deliveries, attempts. Each day is detached without holding anybody up, and dropped.

use jiff::Timestamp;
use postrider_store::partitions::{self, Listing, Parent, Partition, State};
use postrider_store::retention::{self, Owed};
use postrider_store::{ErrorKind, StoreError};
use tracing::info;

use super::{Kept, Round};

const CHUNK: i64 = 1000;
const IN_THE_WAY: &str = "an open transaction is in the way; it goes when that has ended";

/// The partitions of a table that end before the cutoff, oldest first.
fn due(listing: &Listing, parent: Parent, cutoff: Timestamp) -> impl Iterator<Item = &Partition> {
    listing
        .of(parent)
        .filter(move |day| day.state != State::Missing && day.hi.is_some_and(|hi| hi <= cutoff))
}

/// Bodies: a day goes when nothing of it is owed.
pub(super) async fn events(
    round: &mut Round<'_>,
    listing: &Listing,
    cutoff: Timestamp,
) -> Result<(), StoreError> {
    for day in due(listing, Parent::Events, cutoff) {
        if !round.goes_on() {
            break;
        }
        let mut owed = retention::bodies_owed(round.maintenance, day).await?;
        if owed == Some(Owed::Open) {
            expire(round, day).await?;
            owed = if round.report.dry_run {
                None
            } else {
                retention::bodies_owed(round.maintenance, day).await?
            };
        }
        match owed {
            Some(owed) => keep(round, day, why(owed)),
            None => match let_go(round, day).await? {
                Some(rows) => round.report.events += rows,
                None => break,
            },
        }
    }
    Ok(())
}

/// Closed deliveries: no day that an open delivery may yet be closed into, and an empty partition always reaches back to the
/// beginning of time, so that no record ever finds no place.
pub(super) async fn closed(
    round: &mut Round<'_>,
    listing: &Listing,
    cutoff: Timestamp,
) -> Result<(), StoreError> {
    let cutoff = match retention::oldest_open(round.maintenance).await? {
        Some(oldest) => cutoff.min(oldest),
        None => cutoff,
    };
    let mut moved = false;
    for day in due(listing, Parent::Closed, cutoff) {
        if !round.goes_on() {
            break;
        }
        if day.lo.is_none() && partitions::is_empty(round.maintenance, day).await? {
            continue;
        }
        let Some(rows) = let_go(round, day).await? else { break };
        round.report.deliveries += rows;
        moved = true;
    }
    if moved && !round.report.dry_run {
        stretch_first(round).await?;
    }
    Ok(())
}

/// Attempts.
pub(super) async fn attempts(
    round: &mut Round<'_>,
    listing: &Listing,
    cutoff: Timestamp,
) -> Result<(), StoreError> {
    for day in due(listing, Parent::Attempts, cutoff) {
        if !round.goes_on() {
            break;
        }
        let Some(rows) = let_go(round, day).await? else { break };
        round.report.attempts += rows;
    }
    Ok(())
}

/// Closes what is still open of a day whose bodies go.
async fn expire(round: &mut Round<'_>, day: &Partition) -> Result<(), StoreError> {
    if round.report.dry_run {
        round.report.expired += retention::count_open(round.maintenance, day).await?;
        return Ok(());
    }
    while round.goes_on() {
        let closed = retention::expire(round.maintenance, day, CHUNK).await?;
        round.report.expired += closed;
        if closed == 0 {
            break;
        }
    }
    Ok(())
}

/// Drops one day; returns how many rows went. `None`: an open transaction is in the way, and would be in that of the next day.
async fn let_go(round: &mut Round<'_>, day: &Partition) -> Result<Option<u64>, StoreError> {
    let rows = partitions::rows(round.maintenance, day).await?;
    if !round.report.dry_run {
        if day.parent == Parent::Events && day.state == State::Attached {
            partitions::note_removed(round.maintenance, day).await?;
        }
        match partitions::detach(round.maintenance, day).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Retryable => {
                keep(round, day, IN_THE_WAY);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        if let Some(owed) = partitions::drop_detached(round.maintenance, day).await? {
            keep(round, day, why(owed));
            return Ok(Some(0));
        }
        info!(partition = day.name, rows, "dropped {}: its time is up", day.name);
    }
    round.report.dropped.push(day.name.clone());
    Ok(Some(rows))
}

/// Days have gone: the empty first partition takes their place.
async fn stretch_first(round: &mut Round<'_>) -> Result<(), StoreError> {
    let listing = partitions::list(round.maintenance, Some(round.now)).await?;
    let mut partitions = listing.of(Parent::Closed);
    let (Some(first), Some(second)) = (partitions.next(), partitions.next()) else { return Ok(()) };
    if first.lo.is_some()
        || first.hi == second.lo
        || !partitions::is_empty(round.maintenance, first).await?
    {
        return Ok(());
    }
    partitions::detach(round.maintenance, first).await?;
    partitions::drop_detached(round.maintenance, first).await.map(drop)
}

fn why(owed: Owed) -> &'static str {
    match owed {
        Owed::Pending => "an event of it has not been fanned out",
        Owed::Open => "a delivery of it is open",
        Owed::Busy => "a transaction is writing into it",
    }
}

fn keep(round: &mut Round<'_>, day: &Partition, why: &'static str) {
    round.report.kept.push(Kept { name: day.name.clone(), why });
}
