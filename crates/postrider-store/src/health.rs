//! Whether the database is one that this binary can work on.

use crate::statement::HEALTH_SCHEMA;
use crate::{Db, StoreError, migrations};

/// What the database said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The schema's version; `None`: there is none.
    pub schema: Option<i32>,
    /// The version this binary needs.
    pub wanted: i32,
    /// A standby, or set to read only.
    pub read_only: bool,
}

/// Asks through the pool.
///
/// # Errors
/// When the database cannot be asked.
pub async fn check(db: &Db) -> Result<Health, StoreError> {
    const NO_SUCH_TABLE: &str = "42P01";
    let (schema, read_only) = match db.session().await?.query(&HEALTH_SCHEMA, &[]).await {
        Ok(rows) => rows.first().map_or((None, false), |row| (row.get(0), row.get(1))),
        Err(error) if error.sqlstate() == Some(NO_SUCH_TABLE) => (None, false),
        Err(error) => return Err(error),
    };
    Ok(Health { schema, wanted: migrations::wanted(), read_only })
}
