//! Changes of endpoints: added, updated, switched, deleted, and their open deliveries cancelled.
//! Writes `webhook_endpoints` and `webhook_endpoint_secrets`; secrets and header values are sealed here, before any SQL.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::auth::{Auth, TlsIdentity};
use postrider_core::batch::BatchPolicy;
use postrider_core::format::Format;
use postrider_core::headers::CustomHeaders;
use postrider_core::ids::EndpointId;
use postrider_core::ordering::{OnFailure, Ordering};
use postrider_core::seal::KeyRing;
use postrider_core::signing::{Profile, SigningSecret};
use serde_json::Value;
use uuid::Uuid;

use super::bound;
use crate::admin::secrets;
use crate::control::ENDPOINTS_CHANNEL;
use crate::db::{Params, Session};
use crate::statement::{
    ADMIN_ENDPOINTS_BATCH, ADMIN_ENDPOINTS_DELETE, ADMIN_ENDPOINTS_INSERT, ADMIN_ENDPOINTS_ORDER,
    ADMIN_ENDPOINTS_OWED, ADMIN_ENDPOINTS_SET_ENABLED, ADMIN_ENDPOINTS_SET_PAUSED,
    ADMIN_ENDPOINTS_SET_RATE_LIMIT, ADMIN_ENDPOINTS_SETTINGS, ADMIN_ENDPOINTS_UPDATE,
    CONTROL_NOTIFY,
};
use crate::{Db, StoreError, endpoints};

/// The reason kept with an endpoint that a person disabled.
pub const BY_HAND: &str = "by hand";
/// The reason of deliveries cancelled because their endpoint was disabled.
pub const ENDPOINT_DISABLED: &str = "endpoint_disabled";
/// The reason of deliveries cancelled because their endpoint was deleted.
pub const ENDPOINT_DELETED: &str = "endpoint_deleted";

/// After so long no worker starts a request by what an endpoint was before, told of the change or not.
pub const CHANGE_SETTLES: Duration = Duration::from_millis(2500);

/// How many deliveries one statement cancels, and how long is waited before the next, so that workers come in between.
const CANCEL_CHUNK: i64 = 1_000;
const CANCEL_PAUSE: Duration = Duration::from_millis(20);
/// How long is waited before it is looked again whether those in flight have ended.
const IN_FLIGHT_PAUSE: Duration = Duration::from_millis(100);

/// An endpoint to be added. Everything in it was checked: the URL by `EndpointUrl`, the types and filter by `Subscription`.
#[derive(Debug)]
pub struct NewEndpoint<'a> {
    pub id: EndpointId,
    pub tenant: &'a str,
    pub url: &'a str,
    pub description: &'a str,
    pub event_types: &'a [String],
    pub filter: Option<&'a Value>,
    pub headers: &'a CustomHeaders,
    /// Milliseconds before attempt 2, 3, …; `None` is the standard schedule.
    pub retry_schedule_ms: Option<&'a [i32]>,
    pub timeout_ms: Option<i32>,
    pub max_in_flight: Option<i32>,
    /// Requests a second from the whole fleet.
    pub rate_limit: Option<i32>,
    pub capture_responses: bool,
    pub enabled: bool,
    pub metadata: &'a Value,
    pub secret: &'a SigningSecret,
    /// How its requests are written, signed and let in.
    pub settings: RequestSettings,
    pub order: Option<Order>,
    pub batch: Option<BatchPolicy>,
}

/// In what order an endpoint is sent to. A failure policy goes with an order only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    pub ordering: Ordering,
    pub on_failure: OnFailure,
}

/// What to change about how an endpoint's requests are written, signed and let in.
#[derive(Debug, Default)]
pub struct RequestSettings {
    pub format: Option<Format>,
    /// An empty list takes all profiles away.
    pub signing: Option<Vec<Profile>>,
    pub auth: Change<Auth>,
    /// A certificate with its key, or authorities: set one of them, and the other stays as it was.
    pub tls: Change<TlsIdentity>,
}

/// What becomes of a setting that may also be absent.
#[derive(Debug, Clone, Default)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// It goes: the default holds again.
    Clear,
    /// It becomes this.
    Set(T),
}

/// What to change about an endpoint. What is left out is neither changed nor checked again.
#[derive(Debug, Default)]
pub struct EndpointChange {
    pub url: Option<String>,
    pub description: Option<String>,
    pub event_types: Option<Vec<String>>,
    pub filter: Change<Value>,
    pub headers: Change<CustomHeaders>,
    /// Milliseconds before attempt 2, 3, …
    pub retry_schedule_ms: Change<Vec<i32>>,
    pub timeout_ms: Change<i32>,
    pub max_in_flight: Change<i32>,
    pub rate_limit: Change<i32>,
    pub capture_responses: Option<bool>,
    pub metadata: Option<Value>,
    pub settings: RequestSettings,
    pub order: Option<Order>,
    pub batch: Change<BatchPolicy>,
    /// Only if nobody has changed it since this time, which is `updated_at`.
    pub unchanged_since: Option<Timestamp>,
}

/// A new endpoint id: its time comes first, so ids sort by creation.
#[must_use]
pub fn new_id() -> EndpointId {
    EndpointId(Uuid::now_v7())
}

/// Adds an endpoint with its secret, in one transaction; when it was created.
///
/// # Errors
/// When the tenant has reached its limit (SQLSTATE 54000), or the database cannot be asked.
pub async fn create(
    db: &Db,
    keys: &KeyRing,
    new: &NewEndpoint<'_>,
) -> Result<Timestamp, StoreError> {
    let headers = (!new.headers.is_empty()).then(|| seal_headers(keys, new.id, new.headers));
    let reason = (!new.enabled).then_some(BY_HAND);
    let mut session = db.session().await?;
    session.begin().await?;
    let rows = session
        .run(
            &ADMIN_ENDPOINTS_INSERT,
            &[
                &new.id.0,
                &new.tenant,
                &new.url,
                &new.description,
                &new.event_types,
                &new.filter,
                &headers,
                &new.retry_schedule_ms,
                &new.timeout_ms,
                &new.max_in_flight,
                &new.capture_responses,
                &new.enabled,
                &reason,
                &new.metadata,
            ],
        )
        .await?;
    secrets::insert(&session, keys, new.id, new.secret).await?;
    if new.rate_limit.is_some() {
        session.execute(&ADMIN_ENDPOINTS_SET_RATE_LIMIT, &[&new.id.0, &new.rate_limit]).await?;
    }
    if !new.settings.is_empty() {
        set(&session, Some(keys), new.id, &new.settings).await?;
    }
    set_order(&session, new.id, new.order).await?;
    if new.batch.is_some() {
        set_batch(&session, new.id, new.batch).await?;
    }
    session.commit().await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::other(ADMIN_ENDPOINTS_INSERT.name, "nothing was inserted"))?;
    Ok(row.get(0))
}

/// Changes an endpoint; false if there is none of this id, or it was changed meanwhile where that counts.
///
/// # Errors
/// When the database cannot be asked.
pub async fn update(
    db: &Db,
    keys: Option<&KeyRing>,
    id: EndpointId,
    change: EndpointChange,
) -> Result<bool, StoreError> {
    let (set_filter, filter) = change.filter.parts();
    let (set_headers, headers) = change.headers.parts();
    let headers = match (headers, keys) {
        (None, _) => None,
        (Some(headers), Some(keys)) => Some(seal_headers(keys, id, &headers)),
        (Some(_), None) => {
            return Err(StoreError::other(
                ADMIN_ENDPOINTS_UPDATE.name,
                "headers cannot be sealed without a master key",
            ));
        }
    };
    let (set_schedule, schedule) = change.retry_schedule_ms.parts();
    let (set_timeout, timeout) = change.timeout_ms.parts();
    let (set_in_flight, in_flight) = change.max_in_flight.parts();
    let mut settings = change.settings;
    let mut session = db.session().await?;
    session.begin().await?;
    let rows = session
        .run(
            &ADMIN_ENDPOINTS_UPDATE,
            &[
                &id.0,
                &change.url,
                &change.description,
                &change.event_types,
                &set_filter,
                &filter,
                &set_headers,
                &headers,
                &set_schedule,
                &schedule,
                &set_timeout,
                &timeout,
                &set_in_flight,
                &in_flight,
                &change.capture_responses,
                &change.metadata,
                &change.unchanged_since,
            ],
        )
        .await?;
    if rows.is_empty() {
        session.rollback().await?;
        return Ok(false);
    }
    if let (true, rate_limit) = change.rate_limit.parts() {
        session.execute(&ADMIN_ENDPOINTS_SET_RATE_LIMIT, &[&id.0, &rate_limit]).await?;
    }
    // The row is held by now: nobody else changes the half that is not given.
    if let (Change::Set(given), Some(keys), Some(row)) = (&settings.tls, keys, rows.first())
        && let Some(sealed) = row.get::<_, Option<&[u8]>>(1)
    {
        let before = open_tls(keys, id, sealed)
            .map_err(|why| StoreError::other(ADMIN_ENDPOINTS_UPDATE.name, why))?;
        settings.tls = Change::Set(given.clone().over(before));
    }
    if !settings.is_empty() {
        set(&session, keys, id, &settings).await?;
    }
    // One of them may have to go before the other can come.
    if matches!(change.batch, Change::Clear) {
        set_batch(&session, id, None).await?;
    }
    set_order(&session, id, change.order).await?;
    if let Change::Set(batch) = change.batch {
        set_batch(&session, id, Some(batch)).await?;
    }
    session.commit().await?;
    Ok(true)
}

/// Stores how requests are written, signed and let in, inside the open transaction.
async fn set(
    session: &Session,
    keys: Option<&KeyRing>,
    id: EndpointId,
    settings: &RequestSettings,
) -> Result<(), StoreError> {
    let seal = |label: &[u8], text: &str| match keys {
        Some(keys) => Ok(keys.seal(text.as_bytes(), &bound(label, id), rand::random())),
        None => Err(StoreError::other(
            ADMIN_ENDPOINTS_SETTINGS.name,
            "nothing can be sealed without a master key",
        )),
    };
    let (auth, auth_sealed) = match &settings.auth {
        Change::Set(auth) => (Some(auth.kind()), Some(seal(b"auth:", &auth.expose_json())?)),
        Change::Keep | Change::Clear => (None, None),
    };
    let tls_sealed = match &settings.tls {
        Change::Set(tls) => Some(seal(b"tls:", &tls.expose_json())?),
        Change::Keep | Change::Clear => None,
    };
    let format = settings.format.map(Format::as_str);
    let signing = settings.signing.as_deref().map(Profile::list_to_json);
    let (set_auth, set_tls) = (!settings.auth.is_keep(), !settings.tls.is_keep());
    let values: Params<'_> =
        &[&id.0, &format, &signing, &set_auth, &auth, &auth_sealed, &set_tls, &tls_sealed];
    session.run(&ADMIN_ENDPOINTS_SETTINGS, values).await?;
    Ok(())
}

/// Stores the order in which an endpoint is sent to, if that changes, inside the open transaction.
async fn set_order(
    session: &Session,
    id: EndpointId,
    order: Option<Order>,
) -> Result<(), StoreError> {
    let Some(Order { ordering, on_failure }) = order else { return Ok(()) };
    let skip_after = on_failure.skip_after().and_then(|n| i16::try_from(n).ok());
    session.run(&ADMIN_ENDPOINTS_ORDER, &[&id.0, &ordering.as_str(), &skip_after]).await?;
    Ok(())
}

/// Stores whether its events go in batches, inside the open transaction.
async fn set_batch(
    session: &Session,
    id: EndpointId,
    batch: Option<BatchPolicy>,
) -> Result<(), StoreError> {
    let events = batch.map(|b| i16::try_from(b.max_events()).unwrap_or(i16::MAX));
    let wait = batch.map(|b| i32::try_from(b.max_wait().as_millis()).unwrap_or(i32::MAX));
    let bytes = batch.map(|b| i32::try_from(b.max_bytes()).unwrap_or(i32::MAX));
    let encoding = batch.map(|b| b.encoding().as_str());
    session.run(&ADMIN_ENDPOINTS_BATCH, &[&id.0, &events, &wait, &bytes, &encoding]).await?;
    Ok(())
}

/// Enables or disables an endpoint; false if it is gone or was so already. The open deliveries of one that is disabled are for
/// [`cancel_deliveries`]; before it is enabled what is left of them is cancelled, so nothing old is sent. That waits for those that
/// are in flight, for as long as their leases at most.
///
/// # Errors
/// When the database cannot be asked.
pub async fn set_enabled(
    db: &Db,
    id: EndpointId,
    enabled: bool,
    reason: &str,
) -> Result<bool, StoreError> {
    if enabled {
        cancel_left(db, id).await?;
    }
    let rows = db
        .session()
        .await?
        .query(&ADMIN_ENDPOINTS_SET_ENABLED, &[&id.0, &enabled, &reason])
        .await?;
    Ok(!rows.is_empty())
}

/// Pauses an endpoint or lets it go on; false if it is gone or was so already. While it is paused deliveries go on being made for it and
/// wait; nothing starts any more once [`CHANGE_SETTLES`] is over. It goes on with a clean record of its health, and at once.
///
/// # Errors
/// When the database cannot be asked, or the reason has more than 200 characters (SQLSTATE 23514).
pub async fn set_paused(
    db: &Db,
    id: EndpointId,
    paused: bool,
    reason: Option<&str>,
) -> Result<bool, StoreError> {
    let rows =
        db.session().await?.query(&ADMIN_ENDPOINTS_SET_PAUSED, &[&id.0, &paused, &reason]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Cancels what a disabled endpoint is owed, to the last delivery.
async fn cancel_left(db: &Db, id: EndpointId) -> Result<(), StoreError> {
    loop {
        cancel_deliveries(db, id, ENDPOINT_DISABLED).await?;
        if db.session().await?.query(&ADMIN_ENDPOINTS_OWED, &[&id.0]).await?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(IN_FLIGHT_PAUSE).await;
    }
}

/// Deletes an endpoint and its secrets; false if there is none. Its open deliveries are for [`cancel_deliveries`].
///
/// # Errors
/// When the database cannot be asked.
pub async fn delete(db: &Db, id: EndpointId) -> Result<bool, StoreError> {
    let rows = db.session().await?.query(&ADMIN_ENDPOINTS_DELETE, &[&id.0]).await?;
    Ok(!rows.is_empty())
}

/// Cancels the open deliveries of a disabled or deleted endpoint, in chunks with pauses; how many it was. Those in flight
/// are left to their worker, which records what comes of them.
///
/// # Errors
/// When the database cannot be asked; what was cancelled before stays so.
pub async fn cancel_deliveries(db: &Db, id: EndpointId, reason: &str) -> Result<u64, StoreError> {
    let mut total = 0;
    loop {
        let cancelled = endpoints::cancel_deliveries(db, id, reason, CANCEL_CHUNK).await?;
        total += cancelled;
        if cancelled < CANCEL_CHUNK.unsigned_abs() {
            if total > 0 {
                // It may be enabled again by now, and what came since had to wait for those that were before it.
                db.session().await?.query(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await?;
            }
            return Ok(total);
        }
        tokio::time::sleep(CANCEL_PAUSE).await;
    }
}

impl EndpointChange {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.url.is_none()
            && self.description.is_none()
            && self.event_types.is_none()
            && self.filter.is_keep()
            && self.headers.is_keep()
            && self.retry_schedule_ms.is_keep()
            && self.timeout_ms.is_keep()
            && self.max_in_flight.is_keep()
            && self.rate_limit.is_keep()
            && self.capture_responses.is_none()
            && self.metadata.is_none()
            && self.settings.is_empty()
            && self.order.is_none()
            && self.batch.is_keep()
    }
}

impl RequestSettings {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.format.is_none() && self.signing.is_none() && self.auth.is_keep() && self.tls.is_keep()
    }

    /// Whether something of it is to be sealed.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(self.auth, Change::Set(_)) || matches!(self.tls, Change::Set(_))
    }
}

impl<T> Change<T> {
    fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Whether something changes, and to what.
    pub(in crate::admin) fn parts(self) -> (bool, Option<T>) {
        match self {
            Self::Keep => (false, None),
            Self::Clear => (true, None),
            Self::Set(value) => (true, Some(value)),
        }
    }
}

/// The TLS identity that was stored, or why it cannot be had.
fn open_tls(keys: &KeyRing, id: EndpointId, sealed: &[u8]) -> Result<TlsIdentity, String> {
    let opened = keys.open(sealed, &bound(b"tls:", id));
    let opened = opened.map_err(|error| format!("the TLS identity that it has: {error}"))?;
    let text =
        std::str::from_utf8(&opened).map_err(|_| "the TLS identity that it has is no text")?;
    TlsIdentity::parse_json(text).map_err(|refusal| refusal.to_string())
}

fn seal_headers(keys: &KeyRing, id: EndpointId, headers: &CustomHeaders) -> Vec<u8> {
    keys.seal(headers.expose_json().as_bytes(), &bound(b"headers:", id), rand::random())
}
