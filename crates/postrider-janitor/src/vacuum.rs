//! Vacuums the queue and the open deliveries when dead rows pile up, since autovacuum looks only once a minute.
//! Never blocks: who vacuums already is left to it, and nothing is truncated.

use std::time::Duration;

use postrider_runtime::{Metrics, Stop};
use postrider_store::vacuum::{self, HotTable};
use postrider_store::{Db, StoreError};
use tokio::time::Instant;
use tracing::debug;

/// Dead rows that are worth a vacuum.
pub const THRESHOLD: i64 = 10_000;
const EVERY: Duration = Duration::from_secs(10);
/// While a vacuum gains nothing, because an old snapshot holds what is dead, the next ones come this rarely in the end.
const RAREST: Duration = Duration::from_secs(300);

/// What one round did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Dead rows found, in the order of [`HotTable::ALL`].
    pub dead: [i64; 2],
    /// Tables vacuumed.
    pub vacuumed: Vec<HotTable>,
}

/// Knows when each table may be vacuumed next.
#[derive(Debug, Default)]
pub struct Vacuum {
    tables: [Turn; 2],
}

#[derive(Debug, Default)]
struct Turn {
    not_before: Option<Instant>,
    futile: u32,
}

impl Turn {
    fn has_come(&self, dead: i64, now: Instant) -> bool {
        dead >= THRESHOLD && self.not_before.is_none_or(|at| now >= at)
    }

    fn note(&mut self, before: i64, after: i64, now: Instant) {
        self.futile = if after > before / 2 { self.futile + 1 } else { 0 };
        let wait = EVERY.saturating_mul(2_u32.saturating_pow(self.futile));
        self.not_before = Some(now + wait.min(RAREST));
    }
}

impl Vacuum {
    /// Vacuums what needs it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pass(&mut self, db: &Db) -> Result<Pass, StoreError> {
        let mut pass = Pass { dead: vacuum::dead_rows(db).await?, vacuumed: Vec::new() };
        for (at, table) in HotTable::ALL.into_iter().enumerate() {
            if self.tables[at].has_come(pass.dead[at], Instant::now()) {
                vacuum::vacuum(db, table).await?;
                let after = vacuum::dead_rows(db).await?;
                self.tables[at].note(pass.dead[at], after[at], Instant::now());
                pass.vacuumed.push(table);
            }
        }
        Ok(pass)
    }
}

pub(crate) async fn run(db: &Db, stop: &Stop, metrics: &Metrics) {
    let mut vacuum = Vacuum::default();
    while !stop.soft_within(EVERY).await {
        match vacuum.pass(db).await {
            Ok(pass) => {
                for table in pass.vacuumed {
                    metrics.vacuumed(table.as_str());
                }
            }
            Err(error) => {
                metrics.db_error("janitor");
                debug!(%error, "could not vacuum");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_vacuum_that_gains_nothing_is_repeated_ever_more_rarely() {
        let mut turn = Turn::default();
        let start = Instant::now();
        assert!(!turn.has_come(THRESHOLD - 1, start));
        assert!(turn.has_come(THRESHOLD, start));
        let mut waits = Vec::new();
        for _ in 0..6 {
            turn.note(50_000, 50_000, start);
            let at = turn.not_before.expect("noted");
            assert!(
                !turn.has_come(50_000, at - Duration::from_millis(1)) && turn.has_come(50_000, at)
            );
            waits.push((at - start).as_secs());
        }
        assert_eq!(waits, [20, 40, 80, 160, 300, 300]);
        turn.note(50_000, 10, start);
        assert_eq!(turn.not_before, Some(start + EVERY), "the snapshot is gone");
    }
}
