//! Changes of `/endpoints`: added, changed, given another secret, tried out.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use http::header::{ETAG, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use postrider_core::endpoint;
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::input::check_tenant;
use postrider_core::signing::{Profile, SigningSecret};
use postrider_event::EventId;
use postrider_store::admin::endpoints::{self, Change, Endpoint, NewEndpoint, TestEvent};
use postrider_store::admin::secrets::{self, Overlap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::Api;
use super::body::{Body, parse};
use super::caller::Caller;
use super::endpoint_body::{EndpointBody, SecretBody, given, object};
use super::endpoints::{EndpointDocument, document, find, of_path};
use super::params::Params;
use super::problem::Problem;
use super::shapes::{DeliveryIdText, EndpointIdText, EventIdText};

/// `program_limit_exceeded`: the tenant has as many endpoints as it may have.
const LIMIT: &str = "54000";
/// How long the secrets before a new one go on signing if nothing is said.
const USUAL_OVERLAP: u64 = 86_400;
const MOST_OVERLAP: u64 = 315_360_000;

/// An endpoint that was added just now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointCreated")]
pub(super) struct Created {
    #[serde(flatten)]
    endpoint: EndpointDocument,
    /// The signing secret, shown this once; null if the caller brought it, or nobody needs it.
    secret: Option<String>,
}

/// A secret that was added just now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SecretRotated")]
pub(super) struct Rotated {
    #[schemars(with = "String")]
    id: Uuid,
    #[schemars(with = "EndpointIdText")]
    endpoint_id: EndpointId,
    #[schemars(with = "String")]
    kind: &'static str,
    created_at: Timestamp,
    /// Shown this once; null if the caller brought it, or nobody needs it.
    pub(super) secret: Option<String>,
    /// Of a key pair.
    public_key: Option<String>,
}

/// A test that is on its way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointTested")]
pub(super) struct Tested {
    #[schemars(with = "EventIdText")]
    event_id: String,
    #[schemars(with = "DeliveryIdText")]
    pub(super) delivery_id: DeliveryId,
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    let (endpoint, secret) = add(&api, &caller, &parse(&body)?).await?;
    let location = HeaderValue::from_str(&format!("/api/v1/endpoints/{}", endpoint.id));
    let answer = Created { endpoint: document(endpoint), secret };
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Adds an endpoint; its secret, if it is to be shown.
pub(super) async fn add(
    api: &Api,
    caller: &Caller,
    body: &EndpointBody,
) -> Result<(Endpoint, Option<String>), Problem> {
    let tenant = caller.tenant_for(body.tenant_id.as_deref())?;
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
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "quota", detail)
            }
            _ => failure.into(),
        });
    }
    Ok((find(caller, id).await?, shown(&secret, brought)))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    let body = parse(&body)?;
    Ok(with_tag(change(&api, &caller, of_path(&id)?, &body, &headers).await?))
}

/// Changes an endpoint; what it is then.
pub(super) async fn change(
    api: &Api,
    caller: &Caller,
    id: EndpointId,
    body: &EndpointBody,
    headers: &HeaderMap,
) -> Result<Endpoint, Problem> {
    let was = find(caller, id).await?;
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
        return Ok(was);
    }
    let conditional = change.unchanged_since.is_some();
    if !endpoints::update(&caller.db, Some(api.keys()), was.id, change).await? {
        find(caller, was.id).await?;
        return Err(if conditional { changed() } else { super::endpoints::missing() });
    }
    find(caller, was.id).await
}

/// What a new secret is to be, and how long those before it stay.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rotation {
    #[schemars(with = "Option<SecretBody>")]
    #[serde(deserialize_with = "object")]
    secret: Option<SecretBody>,
    /// How long those before it go on signing, in seconds; null: for ever; a day if nothing is said.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>", range(max = 315_360_000))]
    overlap: Option<Option<u64>>,
}

pub(super) async fn rotate_secret(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    let wanted: Rotation = if body.is_empty() { Rotation::default() } else { parse(&body)? };
    let rotated = rotate(&api, &caller, of_path(&id)?, &wanted).await?;
    Ok((StatusCode::CREATED, Json(rotated)).into_response())
}

/// Gives an endpoint a new secret.
pub(super) async fn rotate(
    api: &Api,
    caller: &Caller,
    id: EndpointId,
    wanted: &Rotation,
) -> Result<Rotated, Problem> {
    let (secret, brought) = wanted.secret.as_ref().unwrap_or(&SecretBody::default()).secret()?;
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
    let endpoint = find(caller, id).await?;
    match secrets::rotate(&caller.db, api.keys(), endpoint.id, &secret, overlap).await? {
        secrets::Rotated::Added { id, created_at } => Ok(Rotated {
            id,
            endpoint_id: endpoint.id,
            kind: secret.kind().as_str(),
            created_at,
            secret: shown(&secret, brought),
            public_key: secret.public_key(),
        }),
        secrets::Rotated::Full => Err(Problem::conflict(
            "secret.count",
            "the endpoint has as many live secrets as it may have",
        )),
        secrets::Rotated::Lacking(_) => Err(Problem::field(
            "/secret/kind",
            "secret.kind",
            "requests would lack a signature without the secrets before it",
        )),
        secrets::Rotated::Gone => Err(super::endpoints::missing()),
    }
}

/// Sends a signed test event; its delivery says what came of it.
pub(super) async fn test(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    params.end()?;
    let tested = try_out(&caller, of_path(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(tested)).into_response())
}

/// Sends an endpoint a test.
pub(super) async fn try_out(caller: &Caller, id: EndpointId) -> Result<Tested, Problem> {
    let endpoint = find(caller, id).await?;
    let event = EventId::random();
    let tried =
        endpoints::publish_test(&caller.publishing, &endpoint.tenant, endpoint.id, event.as_str())
            .await?;
    match tried {
        TestEvent::Owed { delivery } => {
            Ok(Tested { event_id: event.as_str().to_owned(), delivery_id: delivery })
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
fn shown(secret: &SigningSecret, brought: bool) -> Option<String> {
    (!brought && secret.is_symmetric()).then(|| secret.expose().as_str().to_owned())
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
pub(super) fn with_tag(endpoint: Endpoint) -> Response {
    let tag = HeaderValue::from_str(&tag(&endpoint));
    let mut response = Json(document(endpoint)).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
