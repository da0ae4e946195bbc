//! An endpoint as delivery uses it: parsed, unsealed, ready to sign. Kept by its lane for one routing version.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::address::AddressPolicy;
use postrider_core::headers::CustomHeaders;
use postrider_core::ids::EndpointId;
use postrider_core::retry::Schedule;
use postrider_core::seal::KeyRing;
use postrider_core::signing::{Secret, Signer};
use postrider_core::status::ErrorClass;
use postrider_core::url::{EndpointUrl, UrlPolicy};
use postrider_destinations::{Capture, EndpointTarget};
use postrider_store::endpoints::{self, EndpointRecord};
use postrider_store::{Db, StoreError};

/// What the operator allows, and the keys that open what is sealed.
pub struct TargetPolicy {
    /// Plain `http` URLs are sent to.
    pub allow_http: bool,
    pub addresses: AddressPolicy,
    pub keys: Arc<KeyRing>,
    /// For endpoints without a time-out of their own: the whole attempt.
    pub timeout: Duration,
    /// For endpoints without a cap of their own: requests in flight at once.
    pub in_flight: usize,
}

/// One endpoint, ready to be sent to.
pub(crate) struct Target {
    pub(crate) endpoint: EndpointTarget,
    pub(crate) signer: Signer,
    pub(crate) schedule: Schedule,
    pub(crate) timeout: Duration,
    pub(crate) in_flight: usize,
    pub(crate) capture: Capture,
    pub(crate) tenant: String,
    pub(crate) version: i64,
    /// When a secret expires and the target must be read again.
    pub(crate) valid_until: Option<Instant>,
}

/// What became of looking an endpoint up.
pub(crate) enum Lookup {
    Ready(Box<Target>),
    /// Nothing may be sent: its open deliveries end as `cancelled` for this reason.
    Gone(&'static str),
    /// Its URL is refused today: its deliveries end as `rejected` for this reason.
    Unusable(ErrorClass),
    /// Not the endpoint's fault (a sealing key is missing): hold its deliveries and say so.
    Held(String),
}

/// Reads an endpoint and makes it ready.
pub(crate) async fn look_up(
    db: &Db,
    id: EndpointId,
    policy: &TargetPolicy,
) -> Result<Lookup, StoreError> {
    let read_at = Instant::now();
    Ok(match endpoints::by_id(db, id).await? {
        None => Lookup::Gone("endpoint_deleted"),
        Some(record) if !record.enabled => Lookup::Gone("endpoint_disabled"),
        Some(record) => ready(&record, policy, read_at),
    })
}

fn ready(record: &EndpointRecord, policy: &TargetPolicy, read_at: Instant) -> Lookup {
    let url = match EndpointUrl::parse(
        &record.url,
        UrlPolicy { allow_http: policy.allow_http, addresses: &policy.addresses },
    ) {
        Ok(url) => url,
        Err(refusal)
            if refusal.code == "url.address_blocked" || refusal.code == "url.host_blocked" =>
        {
            return Lookup::Unusable(ErrorClass::BlockedAddress);
        }
        Err(_) => return Lookup::Unusable(ErrorClass::InvalidUrl),
    };
    let headers = match open_headers(record, &policy.keys) {
        Ok(headers) => headers,
        Err(why) => return Lookup::Held(why),
    };
    let signer = match open_secrets(record, &policy.keys) {
        Ok(secrets) => Signer::new(&secrets),
        Err(why) => return Lookup::Held(why),
    };
    let capture = if record.capture_responses { Capture::Everything } else { Capture::Failures };
    let Ok(endpoint) = EndpointTarget::new(&url, &headers, capture) else {
        return Lookup::Unusable(ErrorClass::InvalidUrl);
    };
    let waits = record.retry_schedule.as_deref().map(|seconds| {
        seconds.iter().map(|s| Duration::from_secs(u64::try_from(*s).unwrap_or(0))).collect()
    });
    Lookup::Ready(Box::new(Target {
        endpoint,
        signer,
        schedule: waits.and_then(|waits| Schedule::new(waits).ok()).unwrap_or_default(),
        timeout: record
            .timeout_ms
            .and_then(|ms| u64::try_from(ms).ok())
            .map_or(policy.timeout, Duration::from_millis),
        in_flight: record
            .max_in_flight
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(policy.in_flight)
            .max(1),
        capture,
        tenant: record.tenant_id.clone(),
        version: record.version,
        valid_until: record
            .secrets_change_in
            .and_then(|left| Duration::try_from(left).ok())
            .map(|left| read_at + left),
    }))
}

fn open_headers(record: &EndpointRecord, keys: &KeyRing) -> Result<CustomHeaders, String> {
    let Some(sealed) = &record.headers_sealed else { return Ok(CustomHeaders::default()) };
    let opened = keys
        .open(sealed, &aad(b"headers:", record.id))
        .map_err(|error| format!("headers: {error}"))?;
    let object =
        serde_json::from_slice(&opened).map_err(|_| "headers: not a JSON object".to_owned())?;
    CustomHeaders::parse_json(&object).map_err(|refusal| format!("headers: {}", refusal.code))
}

fn open_secrets(record: &EndpointRecord, keys: &KeyRing) -> Result<Vec<Secret>, String> {
    if record.secrets.is_empty() {
        return Err("it has no live secret".to_owned());
    }
    record
        .secrets
        .iter()
        .map(|sealed| {
            let opened = keys
                .open(sealed, &aad(b"secret:", record.id))
                .map_err(|error| format!("secret: {error}"))?;
            let text = std::str::from_utf8(&opened).map_err(|_| "secret: not text".to_owned())?;
            Secret::parse(text).map_err(|error| format!("secret: {error}"))
        })
        .collect()
}

/// What a sealed value is bound to, so that it opens nowhere else.
fn aad(label: &[u8], endpoint: EndpointId) -> Vec<u8> {
    [label, endpoint.0.as_bytes()].concat()
}
