//! Up to which event everything is decided: committed and visible, or never going to be. Whoever reads events by their `seq` stays below
//! it, or would pass over those that commit late.
//!
//! A `seq` is drawn within the publisher's transaction, so commits come out of order. But a publisher locks the ledger before it draws, and
//! the lock goes only when its commit can be seen. So: read the last number drawn, and *then* who holds that lock. Once none of those is
//! left, everything up to that number is decided (ADR 0024). Reads the sequence and `pg_locks`; keeps what it found in `webhook_horizon`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::statement::{HORIZON_DRAWN, HORIZON_HOLDERS, HORIZON_KEEP};
use crate::{Db, StoreError};

mod marks;

use marks::Marks;
pub use marks::Sight;

/// What is waited for publishers that are about to end, in all.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often what is decided is kept, at most.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// Knows up to which event everything is decided. Clones share what they know.
#[derive(Debug, Clone)]
pub struct Horizon(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    marks: Marks,
    /// When it was looked last: nothing that began later was missed.
    looked: Option<Instant>,
    sight: Arc<Sight>,
    kept: i64,
    kept_at: Option<Instant>,
}

impl Horizon {
    /// A horizon of this database. `db` may read everything.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Inner { db, known: Mutex::default() }))
    }

    /// What is decided by now. Waits a moment for publishers that are at it; one that stays open holds nobody up: then the answer is what
    /// was decided before it began.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn decided(&self) -> Result<Arc<Sight>, StoreError> {
        let mut sight = self.look(Duration::ZERO).await?;
        let (wanted, begun) = (sight.drawn, Instant::now());
        let mut pause = Duration::from_millis(1);
        while sight.decided < wanted && begun.elapsed() + pause < PATIENCE {
            tokio::time::sleep(pause).await;
            pause *= 2;
            sight = self.look(Duration::ZERO).await?;
        }
        Ok(sight)
    }

    /// What is seen now, or was seen not longer ago than `age`: many who ask often cost no more than one.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn look(&self, age: Duration) -> Result<Arc<Sight>, StoreError> {
        let asked = Instant::now();
        let mut known = self.0.known.lock().await;
        // Somebody may have looked while this one waited for the lock.
        if known.looked.is_some_and(|looked| looked + age > asked) {
            return Ok(Arc::clone(&known.sight));
        }
        let looked = Instant::now();
        let (drawn, kept, removed_to, holders) = self.read().await?;
        known.marks.look(drawn, kept, holders);
        known.looked = Some(looked);
        known.sight = Arc::new(known.marks.sight(removed_to));
        known.kept = known.kept.max(kept);
        self.keep(&mut known).await;
        Ok(Arc::clone(&known.sight))
    }

    /// The last number drawn, what is kept, what was removed, and then who holds the lock.
    async fn read(&self) -> Result<(i64, i64, i64, Vec<String>), StoreError> {
        let mut session = self.0.db.session().await?;
        // In this order: who draws after the number was read draws a higher one.
        let (drawn, holders) = session.one_then_other(&HORIZON_DRAWN, &HORIZON_HOLDERS).await?;
        let row = drawn.first().ok_or_else(|| {
            StoreError::other(HORIZON_DRAWN.name, "the row of postrider.webhook_horizon is gone")
        })?;
        if row.get::<_, i64>(3) != 1 {
            let detail = "the sequence postrider.webhook_event_ids_seq_seq must have CACHE 1";
            return Err(StoreError::other(HORIZON_DRAWN.name, detail));
        }
        let holders = holders.iter().map(|row| row.get(0)).collect();
        Ok((row.get(0), row.get(1), row.get(2), holders))
    }

    /// Keeps what is decided. A database that takes no changes is read all the same.
    async fn keep(&self, known: &mut Known) {
        let decided = known.sight.decided;
        let lately = known.kept_at.is_some_and(|at| at.elapsed() < KEEP_EVERY);
        if decided <= known.kept || lately {
            return;
        }
        known.kept_at = Some(Instant::now());
        let kept = async { self.0.db.session().await?.command(&HORIZON_KEEP, &[&decided]).await };
        match kept.await {
            Ok(_) => known.kept = decided,
            Err(error) => tracing::debug!(%error, "the horizon could not be kept"),
        }
    }
}

/// The holders of the ledger's lock, each with a number below all that it has drawn.
type Holders = BTreeMap<String, i64>;
