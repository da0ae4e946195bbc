//! Changes of `/endpoints`: added, changed, given another secret, tried out.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use http::header::{ETAG, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use postrider_core::api_key::Scope;
use postrider_core::endpoint;
use postrider_core::input::check_tenant;
use postrider_core::signing::{Profile, SigningSecret};
use postrider_event::{DEFAULT_TENANT, EventId};
use postrider_store::admin::endpoints::{self, Change, Endpoint, NewEndpoint, TestEvent};
use postrider_store::admin::secrets::{self, Overlap, Rotated};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::body::Body;
use super::caller::Caller;
use super::endpoint_body::{EndpointBody, SecretBody, given};
use super::endpoints::{document, find, of_path};
use super::params::Params;
use super::problem::Problem;
use super::publish::parse;

/// `program_limit_exceeded`: the tenant has as many endpoints as it may have.
const LIMIT: &str = "54000";
/// How long the secrets before a new one go on signing if nothing is said.
const USUAL_OVERLAP: u64 = 86_400;
const MOST_OVERLAP: u64 = 315_360_000;

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let body: EndpointBody = parse(&body)?;
    let tenant = caller.tenant_of(body.tenant_id.as_deref())?.unwrap_or(DEFAULT_TENANT);
    check_tenant(tenant)?;
    if body.url.is_none() {
        return Err(Problem::field("/url", "required", "is required"));
    }
    let new = body.change(&caller.db, api.egress(), tenant, None).await?;
    let (secret, brought) = body.secret.as_ref().unwrap_or(&SecretBody::default()).secret()?;
    let headers = set(new.headers).unwrap_or_default();
    let profiles = new.settings.signing.as_deref().unwrap_or_default();
    endpoint::check_signed(&[secret.kind()], profiles)?;
    Profile::check_apart(profiles, &headers)?;
    let types = new.event_types.unwrap_or_else(|| vec!["*".to_owned()]);
    let (filter, schedule) = (set(new.filter), set(new.retry_schedule_ms));
    let id = endpoints::new_id();
    let stored = NewEndpoint {
        id,
        tenant,
        url: new.url.as_deref().unwrap_or_default(),
        description: new.description.as_deref().unwrap_or_default(),
        event_types: &types,
        filter: filter.as_ref(),
        headers: &headers,
        retry_schedule_ms: schedule.as_deref(),
        timeout_ms: set(new.timeout_ms),
        max_in_flight: set(new.max_in_flight),
        rate_limit: set(new.rate_limit),
        capture_responses: new.capture_responses.unwrap_or(false),
        enabled: body.enabled.unwrap_or(true),
        metadata: &new.metadata.unwrap_or_else(|| json!({})),
        secret: &secret,
        settings: new.settings,
        order: new.order,
        batch: set(new.batch),
    };
    if let Err(failure) = endpoints::create(&caller.db, api.keys(), &stored).await {
        return Err(match failure.sqlstate() {
            Some(LIMIT) => {
                let detail = format!("tenant {tenant} has as many endpoints as it may have");
                Problem::conflict("endpoint.limit", detail)
            }
            _ => failure.into(),
        });
    }
    let mut answer = document(&find(&caller, id).await?);
    answer["secret"] = shown(&secret, brought);
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/endpoints/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let body: EndpointBody = parse(&body)?;
    let was = find(&caller, of_path(&id)?).await?;
    for (field, there) in [
        ("tenant_id", body.tenant_id.is_some()),
        ("secret", body.secret.is_some()),
        ("enabled", body.enabled.is_some()),
    ] {
        if there {
            let detail = "cannot be changed here; there are /enable, /disable and /rotate-secret";
            return Err(Problem::field(format!("/{field}"), "read_only", detail));
        }
    }
    let mut change = body.change(&caller.db, api.egress(), &was.tenant, Some(&was)).await?;
    if let Some(profiles) = &change.settings.signing {
        let secrets = endpoints::secrets(&caller.db, was.id).await?;
        endpoint::check_signed(&endpoints::lasting_kinds(&secrets), profiles)?;
    }
    if let Change::Set(headers) = &change.headers {
        let stored = Profile::list_from_json(&was.signing)?;
        Profile::check_apart(change.settings.signing.as_ref().unwrap_or(&stored), headers)?;
    }
    if let Some(wanted) = headers.get(IF_MATCH).filter(|wanted| wanted.as_bytes() != b"*") {
        if wanted.as_bytes() != tag(&was).as_bytes() {
            return Err(changed());
        }
        // Nobody may come in between: the statement looks once more.
        change.unchanged_since = Some(was.updated_at);
    }
    if change.is_empty() {
        return Ok(with_tag(&was));
    }
    let conditional = change.unchanged_since.is_some();
    if !endpoints::update(&caller.db, Some(api.keys()), was.id, change).await? {
        find(&caller, was.id).await?;
        return Err(if conditional { changed() } else { super::endpoints::missing() });
    }
    Ok(with_tag(&find(&caller, was.id).await?))
}

/// What a new secret is to be, and how long those before it stay.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rotation {
    secret: SecretBody,
    /// In seconds; null: for ever.
    #[serde(deserialize_with = "given")]
    overlap: Option<Option<u64>>,
}

pub(super) async fn rotate_secret(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let wanted: Rotation = if body.is_empty() { Rotation::default() } else { parse(&body)? };
    let (secret, brought) = wanted.secret.secret()?;
    let overlap = match wanted.overlap {
        Some(None) => Overlap::Forever,
        Some(Some(seconds)) if seconds > MOST_OVERLAP => {
            return Err(Problem::field(
                "/overlap",
                "overlap.range",
                "must be at most ten years, or null",
            ));
        }
        Some(Some(seconds)) => Overlap::For(Duration::from_secs(seconds)),
        // A key pair comes beside the other secrets: what they sign, it cannot.
        None if !secret.is_symmetric() => Overlap::Forever,
        None => Overlap::For(Duration::from_secs(USUAL_OVERLAP)),
    };
    let endpoint = find(&caller, of_path(&id)?).await?;
    match secrets::rotate(&caller.db, api.keys(), endpoint.id, &secret, overlap).await? {
        Rotated::Added { id, created_at } => {
            let answer = json!({
                "id": id, "endpoint_id": endpoint.id, "kind": secret.kind().as_str(), "created_at": created_at,
                "secret": shown(&secret, brought), "public_key": secret.public_key(),
            });
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
        Rotated::Full => Err(Problem::conflict(
            "secret.count",
            "the endpoint has as many live secrets as it may have",
        )),
        Rotated::Lacking(_) => Err(Problem::field(
            "/secret/kind",
            "secret.kind",
            "requests would lack a signature without the secrets before it",
        )),
        Rotated::Gone => Err(super::endpoints::missing()),
    }
}

/// Sends a signed test event; its delivery says what came of it.
pub(super) async fn test(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let endpoint = find(&caller, of_path(&id)?).await?;
    let event = EventId::random();
    let tried =
        endpoints::publish_test(&caller.publishing, &endpoint.tenant, endpoint.id, event.as_str())
            .await?;
    match tried {
        TestEvent::Owed { delivery } => {
            let answer = json!({ "event_id": event.as_str(), "delivery_id": delivery });
            Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
        }
        TestEvent::SwitchedOff => {
            let detail = "publishing is switched off";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "publish.disabled", detail))
        }
        TestEvent::NoEndpoint => {
            Err(Problem::conflict("endpoint.disabled", "the endpoint is disabled"))
        }
    }
}

fn set<T>(change: Change<T>) -> Option<T> {
    match change {
        Change::Set(value) => Some(value),
        Change::Keep | Change::Clear => None,
    }
}

/// A secret that we made is shown this once; one that the caller brought is known to it, and nobody needs the private half of a key pair.
fn shown(secret: &SigningSecret, brought: bool) -> Value {
    match !brought && secret.is_symmetric() {
        true => secret.expose().as_str().into(),
        false => Value::Null,
    }
}

fn changed() -> Problem {
    let detail = "somebody changed the endpoint meanwhile; read it again";
    Problem::new(StatusCode::PRECONDITION_FAILED, "endpoint.changed", detail)
}

/// Another one with every change.
fn tag(endpoint: &Endpoint) -> String {
    format!("\"{:x}\"", endpoint.updated_at.as_microsecond())
}

/// The endpoint, with its tag.
pub(super) fn with_tag(endpoint: &Endpoint) -> Response {
    let mut response = Json(document(endpoint)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag(endpoint)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
