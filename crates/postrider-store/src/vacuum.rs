//! Vacuuming the two hot tables, whose dead rows every claim and pull has to step over.

use crate::maintenance::Maintenance;
use crate::statement::{VACUUM_DEAD_ROWS, VACUUM_OPEN, VACUUM_PENDING};
use crate::{Db, StoreError};

/// A table whose rows come and go by the thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HotTable {
    Pending,
    Open,
}

impl HotTable {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pending, Self::Open];

    /// The table's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "webhook_events_pending",
            Self::Open => "webhook_deliveries_open",
        }
    }
}

/// Dead rows of the hot tables, as the statistics know them, in the order of [`HotTable::ALL`].
///
/// # Errors
/// When the database cannot be asked.
pub async fn dead_rows(db: &Db) -> Result<[i64; 2], StoreError> {
    let rows = db.session().await?.query(&VACUUM_DEAD_ROWS, &[]).await?;
    Ok(rows.first().map_or([0, 0], |row| [row.get(0), row.get(1)]))
}

/// Frees the dead rows of one table. Waits for no lock: if somebody else vacuums it, that will do.
///
/// # Errors
/// When the database refuses.
pub async fn vacuum(db: &Db, table: HotTable) -> Result<(), StoreError> {
    let mut maintenance = Maintenance::unlocked(db).await?;
    match table {
        HotTable::Pending => maintenance.alone(&VACUUM_PENDING).await,
        HotTable::Open => maintenance.alone(&VACUUM_OPEN).await,
    }
}
