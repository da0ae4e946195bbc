//! An endpoint as delivery uses it: parsed, unsealed, ready to sign. Kept by its lane for one routing version.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::address::{AddressPolicy, Blocked, TenantRules};
use postrider_core::auth::{Auth, OAuth2, TlsIdentity};
use postrider_core::format::Format;
use postrider_core::headers::CustomHeaders;
use postrider_core::ids::EndpointId;
use postrider_core::input::InputError;
use postrider_core::ordering::OnFailure;
use postrider_core::retry::Schedule;
use postrider_core::seal::KeyRing;
use postrider_core::signing::{Profile, Signer, SigningSecret};
use postrider_core::status::ErrorClass;
use postrider_core::url::{EndpointUrl, Host, UrlPolicy};
use postrider_destinations::{Capture, EndpointTarget, EndpointTls, TokenSource};
use postrider_store::endpoints::{self, EndpointRecord};
use postrider_store::{Db, StoreError};
use zeroize::Zeroizing;

use crate::shares::{Limits, Share};
use crate::turns::Whose;

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
    /// Where it logs in with tokens.
    pub(crate) tokens: Option<Arc<TokenSource>>,
    pub(crate) schedule: Schedule,
    /// What a failing delivery that has an order key does to those behind it.
    pub(crate) on_failure: OnFailure,
    pub(crate) timeout: Duration,
    pub(crate) in_flight: usize,
    /// Requests a second from the whole fleet.
    pub(crate) rate_limit: Option<u32>,
    pub(crate) capture: Capture,
    pub(crate) tenant: String,
    /// Whose turn it is where slots are scarce.
    pub(crate) whose: Whose,
    /// What its tenant may do at once, all its endpoints together.
    pub(crate) tenant_limits: Limits,
    /// This worker's part of that, if it is limited; found by who looked the endpoint up.
    pub(crate) share: Option<Arc<Share>>,
    /// From before it was asked for.
    pub(crate) read_at: Instant,
    pub(crate) version: i64,
    /// When a secret expires and the target must be read again.
    pub(crate) valid_until: Option<Instant>,
}

/// What became of looking an endpoint up.
pub(crate) enum Lookup {
    Ready(Box<Target>),
    /// Nothing may be sent: its open deliveries end as `cancelled` for this reason.
    Gone(&'static str),
    /// Its URL is refused today, by this rule if it is one about addresses: its deliveries end as `rejected` for this reason.
    Unusable(ErrorClass, Option<&'static str>),
    /// Somebody paused it: its deliveries wait in the database.
    Paused,
    /// Not the endpoint's fault (a sealing key is missing): hold its deliveries and say so.
    Held(String),
}

/// Reads an endpoint and makes it ready; a token that it had `before` is still good if its login is the same.
pub(crate) async fn look_up(
    db: &Db,
    id: EndpointId,
    policy: &TargetPolicy,
    before: Option<&Target>,
) -> Result<Lookup, StoreError> {
    let read_at = Instant::now();
    Ok(match endpoints::by_id(db, id).await? {
        None => Lookup::Gone("endpoint_deleted"),
        Some(record) if !record.enabled => Lookup::Gone("endpoint_disabled"),
        Some(record) if record.paused => Lookup::Paused,
        Some(record) => ready(&record, policy, read_at, before),
    })
}

fn ready(
    record: &EndpointRecord,
    policy: &TargetPolicy,
    read_at: Instant,
    before: Option<&Target>,
) -> Lookup {
    let Ok(rules) = egress_rules(record) else {
        return Lookup::Held("its tenant's egress rules cannot be read".to_owned());
    };
    let addresses = policy.addresses.for_tenant(rules.clone());
    let url_policy = UrlPolicy { allow_http: policy.allow_http, addresses: &addresses };
    let url = match EndpointUrl::parse(&record.url, url_policy) {
        Ok(url) => url,
        Err(refusal) => return refused(refusal.code, &record.url, &addresses),
    };
    let headers = match open_headers(record, &policy.keys) {
        Ok(headers) => headers,
        Err(why) => return Lookup::Held(why),
    };
    let signer = match open_signer(record, &policy.keys) {
        Ok(signer) => signer,
        Err(why) => return Lookup::Held(why),
    };
    let auth = match open_auth(record, &policy.keys) {
        Ok(auth) => auth,
        Err(why) => return Lookup::Held(why),
    };
    let identity = match open_identity(record, &policy.keys) {
        Ok(identity) => identity,
        Err(why) => return Lookup::Held(why),
    };
    let Ok(format) = record.format.parse::<Format>() else {
        return Lookup::Held(format!("this binary does not write the format {}", record.format));
    };
    let capture = if record.capture_responses { Capture::Everything } else { Capture::Failures };
    let Ok(endpoint) = EndpointTarget::new(&url, &headers, capture) else {
        return Lookup::Unusable(ErrorClass::InvalidUrl, None);
    };
    let endpoint = endpoint
        .under(rules.clone())
        .written(format, &record.tenant_id)
        .identified(identity)
        .authorized(auth.as_ref().and_then(Auth::header));
    let tokens = match &auth {
        Some(Auth::OAuth2(oauth)) => {
            let kept = before.and_then(|before| before.tokens.clone());
            match token_source(oauth, url_policy, &rules, kept) {
                Ok(tokens) => Some(tokens),
                Err(refusal) => return refused(refusal.code, &oauth.token_url, &addresses),
            }
        }
        _ => None,
    };
    let waits = record.retry_schedule_ms.as_deref().map(|waits| {
        waits.iter().map(|ms| Duration::from_millis(u64::try_from(*ms).unwrap_or(0))).collect()
    });
    Lookup::Ready(Box::new(Target {
        endpoint,
        signer,
        tokens,
        schedule: waits.and_then(|waits| Schedule::new(waits).ok()).unwrap_or_default(),
        on_failure: record.on_failure,
        timeout: record
            .timeout_ms
            .and_then(|ms| u64::try_from(ms).ok())
            .map_or(policy.timeout, Duration::from_millis),
        in_flight: record
            .max_in_flight
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(policy.in_flight)
            .max(1),
        rate_limit: record.rate_limit.and_then(|rate| u32::try_from(rate).ok()),
        capture,
        read_at,
        tenant: record.tenant_id.clone(),
        whose: Whose { tenant: hash(&record.tenant_id), endpoint: record.id },
        tenant_limits: Limits {
            in_flight: record.tenant_limits.in_flight.and_then(|n| u32::try_from(n).ok()),
            rate: record.tenant_limits.rate.and_then(|rate| u32::try_from(rate).ok()),
        },
        share: None,
        version: record.version,
        valid_until: record
            .secrets_change_in
            .and_then(|left| Duration::try_from(left).ok())
            .map(|left| read_at + left),
    }))
}

fn hash(tenant: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    tenant.hash(&mut hasher);
    hasher.finish()
}

/// Where its tokens come from: the one it has if that asks for the same, else a new one. The token's URL is held to all that an
/// endpoint's is.
fn token_source(
    oauth: &OAuth2,
    policy: UrlPolicy<'_>,
    rules: &TenantRules,
    kept: Option<Arc<TokenSource>>,
) -> Result<Arc<TokenSource>, InputError> {
    let url = EndpointUrl::parse(&oauth.token_url, policy)?;
    if let Some(kept) = kept.filter(|kept| kept.is_for(oauth, rules)) {
        return Ok(kept);
    }
    let place = EndpointTarget::new(&url, &CustomHeaders::default(), Capture::Everything);
    let place =
        place.map_err(|class| InputError::new("auth.token_url", class.as_str(), "unusable"))?;
    Ok(Arc::new(TokenSource::new(oauth.clone(), &place.under(rules.clone()))))
}

fn egress_rules(record: &EndpointRecord) -> Result<TenantRules, InputError> {
    let lists = &record.egress;
    TenantRules::parse(&lists.allow_cidrs, &lists.deny_cidrs, &lists.ports)
}

/// What a URL is refused for, by the code of its refusal: somewhere it may not lead, or something no request can be made to.
fn refused(code: &str, url: &str, addresses: &AddressPolicy) -> Lookup {
    let rule = match code {
        "url.address_blocked" => rule_against(url, addresses),
        "url.host_blocked" => "local_name",
        "url.port" => "port",
        _ => return Lookup::Unusable(ErrorClass::InvalidUrl, None),
    };
    Lookup::Unusable(ErrorClass::BlockedAddress, Some(rule))
}

/// The rule that forbids the address in the URL, which is read once more by a policy that forbids none.
fn rule_against(url: &str, addresses: &AddressPolicy) -> &'static str {
    let everything = ["0.0.0.0/0", "::/0"].map(|network| network.parse().ok());
    let open =
        AddressPolicy { allow: everything.into_iter().flatten().collect(), ..Default::default() };
    let url = EndpointUrl::parse(url, UrlPolicy { allow_http: true, addresses: &open });
    let judged = url.ok().and_then(|url| match url.host() {
        Host::Ip(address) => addresses.judge(*address, url.port()).err(),
        Host::Name(_) => None,
    });
    judged.map_or("address", Blocked::rule)
}

fn open_headers(record: &EndpointRecord, keys: &KeyRing) -> Result<CustomHeaders, String> {
    let Some(sealed) = &record.headers_sealed else { return Ok(CustomHeaders::default()) };
    let opened = open(sealed, "headers", record.id, keys)?;
    let object =
        serde_json::from_str(&opened).map_err(|_| "headers: not a JSON object".to_owned())?;
    CustomHeaders::parse_json(&object).map_err(|refusal| format!("headers: {}", refusal.code))
}

fn open_signer(record: &EndpointRecord, keys: &KeyRing) -> Result<Signer, String> {
    if record.secrets.is_empty() {
        return Err("it has no live secret".to_owned());
    }
    let profiles = Profile::list_from_json(&record.signing)
        .map_err(|refusal| format!("signing: {}", refusal.code))?;
    let secrets = record.secrets.iter().map(|secret| {
        let kind = secret.kind.ok_or("secret: of a kind that this binary does not know")?;
        let opened = open(&secret.sealed, "secret", record.id, keys)?;
        SigningSecret::parse(kind, &opened).map_err(|error| format!("secret: {error}"))
    });
    let secrets = secrets.collect::<Result<Vec<_>, String>>()?;
    if !profiles.is_empty() && !secrets.iter().any(SigningSecret::is_symmetric) {
        tracing::warn!(endpoint.id = %record.id, "its signing profiles are left out: none of its live secrets can sign them");
    }
    Ok(Signer::with_profiles(&secrets, &profiles))
}

fn open_auth(record: &EndpointRecord, keys: &KeyRing) -> Result<Option<Auth>, String> {
    let Some(sealed) = &record.auth_sealed else { return Ok(None) };
    let opened = open(sealed, "auth", record.id, keys)?;
    Auth::parse_json(&opened).map(Some).map_err(|refusal| format!("auth: {}", refusal.code))
}

fn open_identity(record: &EndpointRecord, keys: &KeyRing) -> Result<Option<EndpointTls>, String> {
    let Some(sealed) = &record.tls_sealed else { return Ok(None) };
    let opened = open(sealed, "tls", record.id, keys)?;
    let identity =
        TlsIdentity::parse_json(&opened).map_err(|refusal| format!("tls: {}", refusal.code))?;
    EndpointTls::new(&identity).map(Some).map_err(|error| format!("tls: {error}"))
}

/// Opens a text that was sealed for this place of this endpoint.
fn open(
    sealed: &[u8],
    what: &str,
    endpoint: EndpointId,
    keys: &KeyRing,
) -> Result<Zeroizing<String>, String> {
    let place = [what.as_bytes(), b":", endpoint.0.as_bytes()].concat();
    let opened = keys.open(sealed, &place).map_err(|error| format!("{what}: {error}"))?;
    match std::str::from_utf8(&opened) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(format!("{what}: not text")),
    }
}
