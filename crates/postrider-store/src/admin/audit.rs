//! What was changed, by whom, from where. Reads `audit_log`, which triggers write.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;

use crate::statement::{ADMIN_AUDIT_EXPORT, ADMIN_AUDIT_LIST, ADMIN_AUDIT_LIST_OF_TENANT};
use crate::{Db, StoreError};

/// Which changes to list.
#[derive(Debug, Clone)]
pub struct AuditQuery<'a> {
    pub tenant: Option<&'a str>,
    /// The id of what was changed.
    pub subject: Option<&'a str>,
    /// As `endpoint.updated`.
    pub action: Option<&'a str>,
    /// Not older than this.
    pub since: Timestamp,
    /// Only those before this one: the last of the page before.
    pub before: Option<i64>,
    pub limit: i64,
    /// How many are looked at before the page ends as it is.
    pub look: i64,
}

/// One change.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    pub id: i64,
    pub at: Timestamp,
    /// `None`: of the installation.
    pub tenant: Option<String>,
    /// `key:<id>`, `cli:<user>`, `worker` or `sql:<role>`.
    pub actor: String,
    /// To a tenant only where its own key made the change.
    pub address: Option<IpAddr>,
    pub request_id: Option<String>,
    pub action: String,
    pub subject: String,
    /// `{column: {from, to}}`; of what is sealed only that it changed.
    pub changes: Value,
}

/// One page of changes, newest first.
#[derive(Debug, Clone)]
pub struct AuditPage {
    pub rows: Vec<AuditEntry>,
    /// Before which one the next page begins; `None`: there is nothing more.
    pub next: Option<i64>,
    /// Whether the page ended because enough was looked at: more may match behind it.
    pub cut: bool,
}

/// One page of changes.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(db: &Db, query: &AuditQuery<'_>) -> Result<AuditPage, StoreError> {
    let before = query.before.unwrap_or(i64::MAX);
    let statement = match query.tenant {
        None => &ADMIN_AUDIT_LIST,
        Some(_) => &ADMIN_AUDIT_LIST_OF_TENANT,
    };
    let found = db
        .session()
        .await?
        .query(
            statement,
            &[
                &query.tenant,
                &query.subject,
                &query.action,
                &query.since,
                &before,
                &query.limit,
                &query.look,
            ],
        )
        .await?;
    let rows: Vec<AuditEntry> = found.iter().filter(|row| row.get(9)).map(entry).collect();
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= query.limit);
    let last = found.last().filter(|row| full || row.get(10)).map(entry);
    // Behind one that is too old, all are.
    let next = last.filter(|entry| entry.at >= query.since).map(|entry| entry.id);
    Ok(AuditPage { cut: !full && next.is_some(), next, rows })
}

/// One page of changes from `since` on, oldest first, behind the last of the page before. What commits late may stand before what was
/// read already: an export of what is past a while holds everything.
///
/// # Errors
/// When the database cannot be asked.
pub async fn export(
    db: &Db,
    tenant: Option<&str>,
    since: Timestamp,
    after: Option<&AuditEntry>,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    // No id is lower than one.
    let (at, id) = after.map_or((since, 0), |last| (last.at, last.id));
    let mut session = db.session().await?;
    let rows = session.query(&ADMIN_AUDIT_EXPORT, &[&tenant, &at, &id, &limit]).await?;
    Ok(rows.iter().map(entry).collect())
}

fn entry(row: &Row) -> AuditEntry {
    AuditEntry {
        id: row.get(0),
        at: row.get(1),
        tenant: row.get(2),
        actor: row.get(3),
        address: row.get(4),
        request_id: row.get(5),
        action: row.get(6),
        subject: row.get(7),
        changes: row.get(8),
    }
}
