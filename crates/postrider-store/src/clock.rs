//! The database's clock, the only one that counts: read once a second, carried on by this machine's monotonic clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

use crate::statement::CONTROL_CLOCK;
use crate::{Session, StoreError};

/// A clock that follows the database's. Clones share it.
#[derive(Debug, Clone)]
pub struct DbClock {
    base: Instant,
    /// Database time at `base`, in microseconds since the epoch.
    offset: Arc<AtomicI64>,
}

impl DbClock {
    /// Reads the database's clock.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn start(session: &mut Session) -> Result<Self, StoreError> {
        let clock = Self { base: Instant::now(), offset: Arc::new(AtomicI64::new(0)) };
        clock.sync(session).await?;
        Ok(clock)
    }

    /// Reads the database's clock again; half a round trip is the error.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn sync(&self, session: &mut Session) -> Result<(), StoreError> {
        let sent = self.base.elapsed();
        let rows = session.query(&CONTROL_CLOCK, &[]).await?;
        let middle = (sent + self.base.elapsed()) / 2;
        let now: Timestamp =
            rows.first().ok_or_else(|| StoreError::other(CONTROL_CLOCK.name, "no answer"))?.get(0);
        let middle = i64::try_from(middle.as_micros()).unwrap_or(i64::MAX);
        self.offset.store(now.as_microsecond().saturating_sub(middle), Ordering::Relaxed);
        Ok(())
    }

    /// The database's time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.base.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_microsecond(self.offset.load(Ordering::Relaxed).saturating_add(elapsed))
            .unwrap_or(Timestamp::MAX)
    }
}
