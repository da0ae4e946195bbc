//! The catalog of event types: listed, declared, imported, removed. Reads and writes `webhook_event_types`, whose triggers number the schemas and
//! write the audit log.

use std::collections::HashMap;

use jiff::Timestamp;
use postrider_core::event_type::{Change, Declaration, Said, change};
use tokio_postgres::Row;

use crate::db::Session;
use crate::statement::{
    ADMIN_EVENT_TYPES_DELETE, ADMIN_EVENT_TYPES_FIND, ADMIN_EVENT_TYPES_LIST,
    ADMIN_EVENT_TYPES_PUT, ADMIN_EVENT_TYPES_SET_STRICT, ADMIN_EVENT_TYPES_STRICT,
};
use crate::{Db, StoreError};

/// An event type as the catalog has it.
#[derive(Debug, Clone)]
pub struct EventTypeInfo {
    pub name: String,
    pub description: Option<String>,
    /// JSON text, as it was given.
    pub example: Option<String>,
    /// JSON text, as it was given.
    pub schema: Option<String>,
    /// `off`, `report` or `enforce`.
    pub check: String,
    /// False: nobody declared it; fan-out has met it.
    pub declared: bool,
    /// Another with every change of the schema or of its check.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl EventTypeInfo {
    /// What was declared, if anybody did.
    fn said(&self) -> Option<Said<'_>> {
        self.declared.then_some(Said {
            description: self.description.as_deref(),
            example: self.example.as_deref(),
            schema: self.schema.as_deref(),
            check: &self.check,
        })
    }
}

/// One page of types by name: declared ones, others, or both.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    db: &Db,
    declared: Option<bool>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<EventTypeInfo>, StoreError> {
    let after = after.unwrap_or_default();
    let mut session = db.session().await?;
    let rows = session.query(&ADMIN_EVENT_TYPES_LIST, &[&after, &declared, &limit]).await?;
    Ok(rows.iter().map(info).collect())
}

/// One type.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(db: &Db, name: &str) -> Result<Option<EventTypeInfo>, StoreError> {
    let names = [name];
    let rows = db.session().await?.query(&ADMIN_EVENT_TYPES_FIND, &[&names.as_slice()]).await?;
    Ok(rows.first().map(info))
}

/// What storing these would change, in their order. Nothing is stored.
///
/// # Errors
/// When the database cannot be asked.
pub async fn plan(db: &Db, wanted: &[Declaration]) -> Result<Vec<Change>, StoreError> {
    let mut session = db.session().await?;
    let names: Vec<&str> = wanted.iter().map(Declaration::name).collect();
    let rows = session.query(&ADMIN_EVENT_TYPES_FIND, &[&names]).await?;
    Ok(compared(&rows, wanted))
}

/// Stores all of these or none, and says what that changed, in their order. What is unchanged is not touched.
///
/// # Errors
/// When the database cannot be asked.
pub async fn put(db: &Db, wanted: &[Declaration]) -> Result<Vec<Change>, StoreError> {
    let mut session = db.session().await?;
    session.begin().await?;
    let names: Vec<&str> = wanted.iter().map(Declaration::name).collect();
    let rows = session.run(&ADMIN_EVENT_TYPES_FIND, &[&names]).await?;
    let changes = compared(&rows, wanted);
    let mut changed: Vec<&Declaration> = wanted
        .iter()
        .zip(&changes)
        .filter(|(_, change)| **change != Change::Unchanged)
        .map(|(declaration, _)| declaration)
        .collect();
    // In the same order everywhere, so that two imports wait for each other and not in a circle.
    changed.sort_unstable_by_key(|declaration| declaration.name());
    for declaration in changed {
        store(&session, declaration).await?;
    }
    session.commit().await?;
    Ok(changes)
}

/// Removes a type; false if there is none. Events of it are published as before, unless the catalog is strict.
///
/// # Errors
/// When the database cannot be asked.
pub async fn remove(db: &Db, name: &str) -> Result<bool, StoreError> {
    Ok(!db.session().await?.query(&ADMIN_EVENT_TYPES_DELETE, &[&name]).await?.is_empty())
}

/// Whether publishing takes declared types only.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_strict(db: &Db) -> Result<bool, StoreError> {
    let rows = db.session().await?.query(&ADMIN_EVENT_TYPES_STRICT, &[]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Takes declared types only from now on, or any; false if that is so already.
///
/// # Errors
/// When the database cannot be asked.
pub async fn set_strict(db: &Db, strict: bool) -> Result<bool, StoreError> {
    Ok(!db.session().await?.query(&ADMIN_EVENT_TYPES_SET_STRICT, &[&strict]).await?.is_empty())
}

async fn store(session: &Session, declaration: &Declaration) -> Result<(), StoreError> {
    let said = declaration.said();
    session
        .execute(
            &ADMIN_EVENT_TYPES_PUT,
            &[&declaration.name(), &said.description, &said.example, &said.schema, &said.check],
        )
        .await
        .map(drop)
}

fn compared(rows: &[Row], wanted: &[Declaration]) -> Vec<Change> {
    let now: HashMap<String, EventTypeInfo> =
        rows.iter().map(info).map(|info| (info.name.clone(), info)).collect();
    wanted
        .iter()
        .map(|wanted| change(now.get(wanted.name()).and_then(EventTypeInfo::said), wanted))
        .collect()
}

fn info(row: &Row) -> EventTypeInfo {
    EventTypeInfo {
        name: row.get(0),
        description: row.get(1),
        example: row.get(2),
        schema: row.get(3),
        check: row.get(4),
        declared: row.get(5),
        version: row.get(6),
        created_at: row.get(7),
        updated_at: row.get(8),
    }
}
