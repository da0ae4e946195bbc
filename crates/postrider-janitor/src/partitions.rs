//! Keeps partitions ahead of time: days for a week, months for a year, then a tail, so that no publisher ever finds none.
//! Reads the catalog and `postrider.partitions`. Changes both, one step at a time, and looks again after each: whatever an
//! interrupted janitor left behind (a detach half done, a table off its parent, a gap) is a step like any other.

mod plan;

use std::collections::HashSet;

use jiff::Timestamp;
use postrider_store::maintenance::Maintenance;
use postrider_store::partitions::{self, Parent, Partition};
use postrider_store::{ErrorKind, StoreError};
use tracing::{debug, info, warn};

use plan::{Step, next_step};

/// No table ever needs more steps than this in one pass.
const MOST_STEPS: usize = 200;

/// What one round did.
#[derive(Debug, Default)]
pub struct Pass {
    /// Partitions made.
    pub made: u64,
    /// Things put right that an interrupted change, or a hand, had left.
    pub repaired: u64,
    /// Steps towards indexes that partitions with rows lack.
    pub indexed: u64,
    /// Partitions that should be finer but have rows already, so they stay as they are.
    pub in_use: Vec<String>,
    /// Tables whose partitions could not all be made, and why. The next pass tries again.
    pub blocked: Vec<(Parent, StoreError)>,
}

/// Makes what is missing ahead of `now` (the database's clock, unless a test pins it), and repairs what is half done.
///
/// # Errors
/// When the database cannot be asked. What holds up one table is in [`Pass::blocked`], and holds up no other.
pub async fn pass(
    maintenance: &mut Maintenance,
    now: Option<Timestamp>,
) -> Result<Pass, StoreError> {
    let mut pass = Pass::default();
    let mut in_use = HashSet::new();
    for parent in Parent::ALL {
        if let Err(error) = keep(maintenance, parent, now, &mut pass, &mut in_use).await {
            if error.kind() == ErrorKind::Unavailable {
                return Err(error);
            }
            pass.blocked.push((parent, error));
        }
    }
    pass.in_use = in_use.into_iter().collect();
    pass.in_use.sort();
    if let Err(error) = index(maintenance, &mut pass).await {
        if error.kind() == ErrorKind::Unavailable {
            return Err(error);
        }
        warn!(%error, "a partition lacks an index still: {error}");
    }
    Ok(pass)
}

/// Gives partitions that had rows when an index came theirs.
async fn index(maintenance: &mut Maintenance, pass: &mut Pass) -> Result<(), StoreError> {
    while partitions::index(maintenance).await? {
        pass.indexed += 1;
        debug!(steps = pass.indexed, "indexing partitions");
    }
    Ok(())
}

async fn keep(
    maintenance: &mut Maintenance,
    parent: Parent,
    now: Option<Timestamp>,
    pass: &mut Pass,
    in_use: &mut HashSet<String>,
) -> Result<(), StoreError> {
    for _ in 0..MOST_STEPS {
        let listing = partitions::list(maintenance, now).await?;
        let now = listing.now;
        let ours: Vec<&Partition> = listing.of(parent).collect();
        let Some(step) = next_step(parent, &ours, now, in_use) else { return Ok(()) };
        debug!(table = parent.as_str(), ?step, "keeping partitions");
        match step {
            Step::FinishDetach(partition) => {
                partitions::detach(maintenance, partition).await?;
                pass.repaired += 1;
            }
            Step::Attach(partition) => {
                partitions::attach(maintenance, partition).await?;
                pass.repaired += 1;
            }
            Step::Register(partition) => {
                partitions::register(maintenance, partition).await?;
                pass.repaired += 1;
            }
            Step::Unregister(partition) => {
                partitions::unregister(maintenance, partition).await?;
                pass.repaired += 1;
            }
            Step::Fill { lo, hi } => {
                let made = partitions::fill(maintenance, parent, lo, hi, now).await?;
                warn!(
                    table = parent.as_str(),
                    made,
                    "there was a gap between the partitions of {}",
                    parent.as_str()
                );
                pass.made += made;
                pass.repaired += 1;
            }
            Step::Refine(partition) => {
                let made = refine(maintenance, partition, now).await?;
                if made == 0 {
                    in_use.insert(partition.name.clone());
                } else {
                    info!(
                        partition = partition.name,
                        made, "{} gave way to {made} finer partitions", partition.name
                    );
                }
                pass.made += made;
            }
        }
    }
    Err(StoreError::other(
        "keeping partitions",
        format!("{} is not in order after {MOST_STEPS} steps", parent.as_str()),
    ))
}

/// Puts finer partitions in the place of an empty one that lies ahead. 0: it is not empty, and stays.
async fn refine(
    maintenance: &mut Maintenance,
    partition: &Partition,
    now: Timestamp,
) -> Result<u64, StoreError> {
    if !partitions::is_empty(maintenance, partition).await? {
        return Ok(0);
    }
    partitions::detach(maintenance, partition).await?;
    partitions::replace(maintenance, partition, now).await
}
