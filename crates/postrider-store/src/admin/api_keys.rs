//! The keys of the API: made, listed, revoked, and found by what a caller sent. Reads and writes `api_keys`; never a key itself.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::api_key::{ApiKey, Scope};
use postrider_core::ids::ApiKeyId;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::statement::{
    ADMIN_API_KEYS_FIND, ADMIN_API_KEYS_INSERT, ADMIN_API_KEYS_LIST, ADMIN_API_KEYS_LIST_OF_TENANT,
    ADMIN_API_KEYS_REVOKE, ADMIN_API_KEYS_USED,
};
use crate::{Db, StoreError};

/// A key to be stored.
#[derive(Debug)]
pub struct NewApiKey<'a> {
    /// `None`: an admin key.
    pub tenant: Option<&'a str>,
    /// 1 to 100 characters.
    pub name: &'a str,
    pub scopes: &'a [Scope],
    pub expires_in: Option<Duration>,
}

/// A key as it is listed.
#[derive(Debug, Clone)]
pub struct ApiKeyInfo {
    pub id: ApiKeyId,
    pub tenant: Option<String>,
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// It lets its holder in.
    pub live: bool,
}

/// Who holds a key, and what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub id: ApiKeyId,
    /// `None`: an admin.
    pub tenant: Option<String>,
    pub scopes: Vec<Scope>,
}

/// Stores a new key; when it was made and when it ends.
///
/// # Errors
/// When the database cannot be asked.
pub async fn create(
    db: &Db,
    key: &ApiKey,
    new: &NewApiKey<'_>,
) -> Result<(ApiKeyId, Timestamp, Option<Timestamp>), StoreError> {
    let id = ApiKeyId(Uuid::now_v7());
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let ends = new.expires_in.map(|span| span.as_secs_f64());
    let (hash, hint) = (key.hash(), key.hint());
    let mut session = db.session().await?;
    let rows = session
        .query(
            &ADMIN_API_KEYS_INSERT,
            &[&id.0, &new.tenant, &new.name, &hash.as_slice(), &hint, &scopes, &ends],
        )
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::other(ADMIN_API_KEYS_INSERT.name, "nothing was inserted"))?;
    Ok((id, row.get(0), row.get(1)))
}

/// One page of keys in the order of their creation, of one tenant or of all.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    db: &Db,
    tenant: Option<&str>,
    after: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<ApiKeyInfo>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let mut session = db.session().await?;
    let rows = match tenant {
        None => session.query(&ADMIN_API_KEYS_LIST, &[&after, &limit]).await?,
        Some(tenant) => {
            session.query(&ADMIN_API_KEYS_LIST_OF_TENANT, &[&tenant, &after, &limit]).await?
        }
    };
    Ok(rows.iter().map(info).collect())
}

/// Ends a key, of one tenant or of any; false if there is none of this id, or it was ended before.
///
/// # Errors
/// When the database cannot be asked.
pub async fn revoke(db: &Db, id: ApiKeyId, tenant: Option<&str>) -> Result<bool, StoreError> {
    let rows = db.session().await?.query(&ADMIN_API_KEYS_REVOKE, &[&id.0, &tenant]).await?;
    Ok(!rows.is_empty())
}

/// Who holds a key, if it is one of ours and live.
///
/// # Errors
/// When the database cannot be asked.
pub async fn holder(db: &Db, key: &ApiKey) -> Result<Option<Holder>, StoreError> {
    let hash = key.hash();
    let mut session = db.session().await?;
    let rows = session.query(&ADMIN_API_KEYS_FIND, &[&hash.as_slice()]).await?;
    if let Some(row) = rows.first().filter(|row| row.get("stale")) {
        // A standby takes no note, and answers all the same.
        let noted = session.command(&ADMIN_API_KEYS_USED, &[&row.get::<_, Uuid>(0)]).await;
        noted
            .map_or_else(|error| tracing::debug!(%error, "the use of a key was not noted"), |_| ());
    }
    Ok(rows.first().map(|row| Holder {
        id: ApiKeyId(row.get(0)),
        tenant: row.get(1),
        // A scope that only a newer version knows allows nothing here.
        scopes: row
            .get::<_, Vec<&str>>(2)
            .into_iter()
            .filter_map(|word| word.parse().ok())
            .collect(),
    }))
}

fn info(row: &Row) -> ApiKeyInfo {
    ApiKeyInfo {
        id: ApiKeyId(row.get(0)),
        tenant: row.get(1),
        name: row.get(2),
        hint: row.get(3),
        scopes: row.get(4),
        created_at: row.get(5),
        expires_at: row.get(6),
        last_used_at: row.get(7),
        revoked_at: row.get(8),
        live: row.get(9),
    }
}
