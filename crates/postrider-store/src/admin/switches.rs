//! The kill switch: a row closes publishing for the installation, a tenant or an event type; no row, it is open.
//! What was published before goes on draining whatever the switch says.

use jiff::Timestamp;

use crate::statement::{ADMIN_SWITCHES_CLOSE, ADMIN_SWITCHES_LIST, ADMIN_SWITCHES_OPEN};
use crate::{Db, StoreError};

/// What a switch closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Installation,
    /// One tenant's events.
    Tenant(String),
    /// One type's events.
    Type(String),
}

/// A closed switch.
#[derive(Debug, Clone)]
pub struct Switch {
    /// `installation`, `tenant` or `type`.
    pub scope: String,
    /// Empty for the installation.
    pub name: String,
    pub reason: Option<String>,
    pub closed_at: Timestamp,
}

impl Scope {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Installation => ("installation", ""),
            Self::Tenant(name) => ("tenant", name),
            Self::Type(name) => ("type", name),
        }
    }
}

/// Every closed switch.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(db: &Db) -> Result<Vec<Switch>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_SWITCHES_LIST, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Switch {
            scope: row.get(0),
            name: row.get(1),
            reason: row.get(2),
            closed_at: row.get(3),
        })
        .collect())
}

/// Closes publishing; false if it was closed already.
///
/// # Errors
/// When the database cannot be asked.
pub async fn close(db: &Db, scope: &Scope, reason: Option<&str>) -> Result<bool, StoreError> {
    let (scope, name) = scope.parts();
    let rows = db.session().await?.query(&ADMIN_SWITCHES_CLOSE, &[&scope, &name, &reason]).await?;
    Ok(!rows.is_empty())
}

/// Opens publishing again; false if it was not closed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn open(db: &Db, scope: &Scope) -> Result<bool, StoreError> {
    let (scope, name) = scope.parts();
    let rows = db.session().await?.query(&ADMIN_SWITCHES_OPEN, &[&scope, &name]).await?;
    Ok(!rows.is_empty())
}
