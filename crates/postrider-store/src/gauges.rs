//! What operators watch, in one bounded statement: from a timer, never from a scrape.

use crate::statement::GAUGES_SAMPLE;
use crate::{Db, StoreError};

/// One look at the shared state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The database's time, in seconds since the epoch.
    pub sampled_at: f64,
    /// Events waiting for fan-out, counted up to the cap.
    pub pending: i64,
    /// Age of the oldest of them in seconds; 0 if there is none.
    pub oldest_pending: f64,
    /// How many seconds the most overdue delivery has been due; negative: the next one is due in so many.
    pub due_lag: f64,
    /// Age in seconds of the oldest snapshot that we are allowed to see.
    pub oldest_snapshot: f64,
}

/// Looks, counting no more than `cap` events and asking no more than `endpoints` endpoints.
///
/// # Errors
/// When the database cannot be asked.
pub async fn sample(db: &Db, cap: i64, endpoints: i64) -> Result<Sample, StoreError> {
    let rows = db.session().await?.query(&GAUGES_SAMPLE, &[&cap, &endpoints]).await?;
    let row = rows.first().ok_or_else(|| StoreError::other(GAUGES_SAMPLE.name, "no answer"))?;
    Ok(Sample {
        sampled_at: row.get(0),
        pending: row.get(1),
        oldest_pending: row.get(2),
        due_lag: row.get(3),
        oldest_snapshot: row.get(4),
    })
}
