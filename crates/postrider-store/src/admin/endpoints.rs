//! Endpoints as their owners see them: listed and found here, changed in `change`, tried out in `trial`.
//! Reads `webhook_endpoints` and what is known about their secrets, never a secret.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::auth::{Auth, TlsIdentity};
use postrider_core::batch::{BatchPolicy, Encoding};
use postrider_core::headers::CustomHeaders;
use postrider_core::ids::EndpointId;
use postrider_core::ordering::{OnFailure, Ordering};
use postrider_core::seal::{KeyRing, SealError};
use postrider_core::signing::SecretKind;
use serde_json::{Map, Value};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::statement::{
    ADMIN_ENDPOINTS_FIND, ADMIN_ENDPOINTS_LIST, ADMIN_ENDPOINTS_LIST_OF_TENANT,
    ADMIN_ENDPOINTS_OPEN, ADMIN_ENDPOINTS_SECRETS, ADMIN_ENDPOINTS_TWINS,
};
use crate::{Db, StoreError};

mod added;
mod change;
pub mod stats;
mod trial;

pub use added::{Backfill, NewPull, create_pull};
pub use change::{
    BY_HAND, CHANGE_SETTLES, Change, ENDPOINT_DELETED, ENDPOINT_DISABLED, EndpointChange,
    NewEndpoint, Order, RequestSettings, cancel_deliveries, create, create_with_backfill, delete,
    new_id, set_enabled, set_paused, update,
};
pub use trial::{TEST_EVENT, TestEvent, publish_test};

/// An endpoint as it is stored, without its secrets.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: EndpointId,
    pub tenant: String,
    /// `webhook` or `pull`.
    pub kind: String,
    /// Of one that is read, `pull:`.
    pub url: String,
    pub description: String,
    pub event_types: Vec<String>,
    pub filter: Option<Value>,
    pub headers_sealed: Option<Vec<u8>>,
    /// Milliseconds before attempt 2, 3, …; `None` is the standard schedule.
    pub retry_schedule_ms: Option<Vec<i32>>,
    pub timeout_ms: Option<i32>,
    pub max_in_flight: Option<i32>,
    /// Requests a second from the whole fleet; `None`: as many as it takes.
    pub rate_limit: Option<i32>,
    pub capture_responses: bool,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    /// Since when somebody has kept its deliveries waiting.
    pub paused_at: Option<Timestamp>,
    /// Why, if that was said.
    pub paused_reason: Option<String>,
    pub metadata: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// How its requests are written: a word of `postrider_core::format`.
    pub format: String,
    /// The signing profiles, as `Profile::list_to_json` wrote them.
    pub signing: Value,
    /// The kind of its login: `basic`, `bearer` or `oauth2`.
    pub auth: Option<String>,
    pub auth_sealed: Option<Vec<u8>>,
    pub tls_sealed: Option<Vec<u8>>,
    pub ordering: Ordering,
    pub on_failure: OnFailure,
    /// Its events go in batches.
    pub batch: Option<BatchPolicy>,
}

/// One signing secret of an endpoint, without the secret.
#[derive(Debug, Clone)]
pub struct SecretInfo {
    pub id: Uuid,
    pub algorithm: String,
    /// `standard` or `opaque`.
    pub encoding: String,
    /// `whpk_…` of an ed25519 key.
    pub public_key: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl SecretInfo {
    /// Its kind, unless it is of a newer version.
    #[must_use]
    pub fn kind(&self) -> Option<SecretKind> {
        SecretKind::of(&self.algorithm, &self.encoding)
    }

    /// The word for its kind.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        self.kind().map_or("unknown", SecretKind::as_str)
    }
}

/// The kinds of those secrets of an endpoint that stay the longest: what signs when all others have ended.
#[must_use]
pub fn lasting_kinds(secrets: &[SecretInfo]) -> Vec<SecretKind> {
    let end = |secret: &SecretInfo| secret.expires_at.unwrap_or(Timestamp::MAX);
    let last = secrets.iter().map(end).max();
    secrets.iter().filter(|secret| Some(end(secret)) == last).filter_map(SecretInfo::kind).collect()
}

/// One page of endpoints in the order of their creation, of one tenant or of all.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    db: &Db,
    tenant: Option<&str>,
    after: Option<EndpointId>,
    limit: i64,
) -> Result<Vec<Endpoint>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let mut session = db.session().await?;
    let rows = match tenant {
        None => session.query(&ADMIN_ENDPOINTS_LIST, &[&after, &limit]).await?,
        Some(tenant) => {
            session.query(&ADMIN_ENDPOINTS_LIST_OF_TENANT, &[&tenant, &after, &limit]).await?
        }
    };
    Ok(rows.iter().map(endpoint).collect())
}

/// The endpoints with ids from `low` to `high`, five at most: one id, or all that begin alike.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(db: &Db, low: EndpointId, high: EndpointId) -> Result<Vec<Endpoint>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_ENDPOINTS_FIND, &[&low.0, &high.0]).await?;
    Ok(rows.iter().map(endpoint).collect())
}

/// Other endpoints of the tenant with the same URL: each event that both match is sent there twice.
///
/// # Errors
/// When the database cannot be asked.
pub async fn twins(
    db: &Db,
    tenant: &str,
    url: &str,
    id: EndpointId,
) -> Result<Vec<EndpointId>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_ENDPOINTS_TWINS, &[&tenant, &url, &id.0]).await?;
    Ok(rows.iter().map(|row| EndpointId(row.get(0))).collect())
}

/// What is known about the secrets of an endpoint, newest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn secrets(db: &Db, id: EndpointId) -> Result<Vec<SecretInfo>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_ENDPOINTS_SECRETS, &[&id.0]).await?;
    let info = |row: &Row| SecretInfo {
        id: row.get(0),
        algorithm: row.get(1),
        encoding: row.get(2),
        public_key: row.get(3),
        created_at: row.get(4),
        expires_at: row.get(5),
    };
    Ok(rows.iter().map(info).collect())
}

/// How many deliveries the endpoint is owed, counted up to `cap`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn open_deliveries(db: &Db, id: EndpointId, cap: i64) -> Result<i64, StoreError> {
    let rows = db.session().await?.query(&ADMIN_ENDPOINTS_OPEN, &[&id.0, &cap]).await?;
    Ok(rows.first().map_or(0, |row| row.get(0)))
}

/// The kind of endpoints that are read instead of sent to.
pub const PULL: &str = "pull";

impl Endpoint {
    /// Whether its events are read by who wants them, and no deliveries are made.
    #[must_use]
    pub fn is_pull(&self) -> bool {
        self.kind == PULL
    }

    /// Its request headers, values and all: for checks, never to be shown.
    ///
    /// # Errors
    /// When they were sealed with a key that is not in the ring, or are damaged.
    pub fn headers(&self, keys: &KeyRing) -> Result<CustomHeaders, SealError> {
        let Some(sealed) = &self.headers_sealed else { return Ok(CustomHeaders::default()) };
        let opened = keys.open(sealed, &bound(b"headers:", self.id))?;
        let object = serde_json::from_slice(&opened).map_err(|_| SealError::Corrupt)?;
        CustomHeaders::parse_json(&object).map_err(|_| SealError::Corrupt)
    }

    /// Its login: for comparisons, never to be shown.
    ///
    /// # Errors
    /// When it was sealed with a key that is not in the ring, or is damaged.
    pub fn login(&self, keys: &KeyRing) -> Result<Option<Auth>, SealError> {
        let Some(sealed) = &self.auth_sealed else { return Ok(None) };
        let opened = keys.open(sealed, &bound(b"auth:", self.id))?;
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::Corrupt)?;
        Auth::parse_json(text).map(Some).map_err(|_| SealError::Corrupt)
    }

    /// Its TLS identity: for comparisons, never to be shown.
    ///
    /// # Errors
    /// When it was sealed with a key that is not in the ring, or is damaged.
    pub fn tls_identity(&self, keys: &KeyRing) -> Result<Option<TlsIdentity>, SealError> {
        let Some(sealed) = &self.tls_sealed else { return Ok(None) };
        let opened = keys.open(sealed, &bound(b"tls:", self.id))?;
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::Corrupt)?;
        TlsIdentity::parse_json(text).map(Some).map_err(|_| SealError::Corrupt)
    }

    /// The names of its request headers; the values stay sealed.
    ///
    /// # Errors
    /// When they were sealed with a key that is not in the ring, or are damaged.
    pub fn header_names(&self, keys: &KeyRing) -> Result<Vec<String>, SealError> {
        let Some(sealed) = &self.headers_sealed else { return Ok(Vec::new()) };
        let opened = keys.open(sealed, &bound(b"headers:", self.id))?;
        let object: Map<String, Value> =
            serde_json::from_slice(&opened).map_err(|_| SealError::Corrupt)?;
        Ok(object.keys().cloned().collect())
    }
}

/// The place that a sealed value belongs to: what it is, and whose.
pub(super) fn bound(what: &[u8], id: EndpointId) -> Vec<u8> {
    [what, id.0.as_bytes()].concat()
}

fn endpoint(row: &Row) -> Endpoint {
    Endpoint {
        id: EndpointId(row.get(0)),
        tenant: row.get(1),
        kind: row.get("kind"),
        url: row.get(2),
        description: row.get(3),
        event_types: row.get(4),
        filter: row.get(5),
        headers_sealed: row.get(6),
        retry_schedule_ms: row.get(7),
        timeout_ms: row.get(8),
        max_in_flight: row.get(9),
        rate_limit: row.get("rate_limit"),
        capture_responses: row.get(10),
        enabled: row.get(11),
        disabled_reason: row.get(12),
        paused_at: row.get("paused_at"),
        paused_reason: row.get("paused_reason"),
        metadata: row.get(13),
        created_at: row.get(14),
        updated_at: row.get(15),
        format: row.get("format"),
        signing: row.get("signing"),
        auth: row.get("auth"),
        auth_sealed: row.get("auth_sealed"),
        tls_sealed: row.get("tls_sealed"),
        ordering: Ordering::parse(row.get("ordering")).unwrap_or_default(),
        on_failure: OnFailure::of_column(row.get("skip_after")),
        batch: batch(row),
    }
}

/// The table's limits are those of a policy.
fn batch(row: &Row) -> Option<BatchPolicy> {
    let events = row.get::<_, Option<i16>>("batch_max_events")?;
    let wait = row.get::<_, Option<i32>>("batch_max_wait_ms").map(u64::try_from)?.ok()?;
    let bytes = row.get::<_, Option<i32>>("batch_max_bytes")?;
    let encoding = Encoding::parse(row.get::<_, Option<&str>>("batch_encoding")?).ok()?;
    BatchPolicy::new(events.into(), Duration::from_millis(wait), bytes.into(), encoding).ok()
}
