//! What was changed, by whom, from where. Reads `audit_log`, which triggers write.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;

use crate::admin::SCAN_LIMIT;
use crate::statement::{ADMIN_AUDIT_EXPORT, ADMIN_AUDIT_LIST};
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
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(db: &Db, query: &AuditQuery<'_>) -> Result<Vec<AuditEntry>, StoreError> {
    let before = query.before.unwrap_or(i64::MAX);
    let mut session = db.session().await?;
    let rows = session
        .query(
            &ADMIN_AUDIT_LIST,
            &[
                &query.tenant,
                &query.subject,
                &query.action,
                &query.since,
                &before,
                &query.limit,
                &SCAN_LIMIT,
            ],
        )
        .await?;
    Ok(rows.iter().map(entry).collect())
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
