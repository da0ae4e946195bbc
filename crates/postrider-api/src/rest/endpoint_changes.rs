//! Changes of `/endpoints`: added, changed, tried out.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use http::header::{ETAG, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use postrider_core::endpoint;
use postrider_core::ids::{DeliveryId, EndpointId, JobId};
use postrider_core::input::check_tenant;
use postrider_core::signing::Profile;
use postrider_event::EventId;
use postrider_store::StoreError;
use postrider_store::admin::endpoints::{
    self, Backfill, Change, Endpoint, EndpointChange, NewEndpoint, TestEvent,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::body::{Body, parse};
use super::caller::Caller;
use super::endpoint_body::EndpointBody;
use super::endpoint_parts::SecretBody;
use super::endpoint_secrets::shown;
use super::endpoints::{EndpointDocument, document, find, of_path};
use super::jobs::{MOST_RATE, USUAL_RATE};
use super::params::Params;
use super::problem::Problem;
use super::shapes::{DeliveryIdText, EventIdText, JobIdText};
use super::{Api, pull};

/// `program_limit_exceeded`: the tenant has as many endpoints as it may have.
const LIMIT: &str = "54000";

/// An endpoint that was added just now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointCreated")]
pub(super) struct Created {
    #[serde(flatten)]
    endpoint: EndpointDocument,
    /// The signing secret, shown this once; null if the caller brought it, or nobody needs it.
    secret: Option<String>,
    /// The job that sends it what it would have wanted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<JobIdText>")]
    backfill_job_id: Option<JobId>,
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
    let Added { endpoint, secret, backfill } = add(&api, &caller, &parse(&body)?).await?;
    let location = HeaderValue::from_str(&format!("/api/v1/endpoints/{}", endpoint.id));
    let answer = Created { endpoint: document(endpoint), secret, backfill_job_id: backfill };
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// What was added.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) endpoint: Endpoint,
    /// Its secret, if it is to be shown.
    pub(super) secret: Option<String>,
    /// The job that sends it what it missed.
    backfill: Option<JobId>,
}

/// Adds an endpoint.
pub(super) async fn add(api: &Api, caller: &Caller, body: &EndpointBody) -> Result<Added, Problem> {
    let tenant = caller.tenant_for(body.tenant_id.as_deref())?;
    check_tenant(tenant)?;
    let is_pull = kind(body)?;
    if body.url.is_none() && !is_pull {
        return Err(Problem::field("/url", "required", "is required"));
    }
    let new = body.change(&caller.db, api.egress(), tenant, None).await?;
    let enabled = body.enabled.unwrap_or(true);
    if is_pull {
        let id = pull::create(api, caller, tenant, new, enabled).await?;
        return Ok(Added { endpoint: find(caller, id).await?, secret: None, backfill: None });
    }
    let backfill = backfill(body, enabled)?;
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
        enabled,
        metadata: &new.metadata.unwrap_or_else(|| json!({})),
        secret: &secret,
        settings: new.settings,
        order: new.order,
        batch: set(new.batch),
    };
    endpoints::create_with_backfill(&caller.db, api.keys(), &stored, backfill.as_ref())
        .await
        .map_err(|failure| not_added(failure, tenant))?;
    Ok(Added {
        endpoint: find(caller, id).await?,
        secret: shown(&secret, brought),
        backfill: backfill.map(|backfill| backfill.job),
    })
}

/// Whether it is one that is read.
fn kind(body: &EndpointBody) -> Result<bool, Problem> {
    let is_pull = match body.kind.as_deref() {
        None | Some("webhook") => false,
        Some(endpoints::PULL) => true,
        Some(_) => {
            return Err(Problem::field("/kind", "endpoint.kind", "must be webhook or pull"));
        }
    };
    for (field, there) in [("secret", body.secret.is_some()), ("backfill", body.backfill.is_some())]
    {
        if is_pull && there {
            return Err(pull::only_read(field));
        }
    }
    Ok(is_pull)
}

fn backfill(body: &EndpointBody, enabled: bool) -> Result<Option<Backfill>, Problem> {
    let Some(backfill) = &body.backfill else { return Ok(None) };
    if !enabled {
        let detail = "an endpoint that is added disabled gets nothing";
        return Err(Problem::field("/backfill", "endpoint.disabled", detail));
    }
    let rate = backfill.rate.unwrap_or(USUAL_RATE);
    if !(1..=MOST_RATE).contains(&rate) {
        return Err(Problem::field("/backfill/rate", "rate.range", "must be 1 to 10000"));
    }
    let since = backfill.since.max(Timestamp::UNIX_EPOCH);
    Ok(Some(Backfill { job: JobId(Uuid::now_v7()), since, rate }))
}

pub(super) fn not_added(failure: StoreError, tenant: &str) -> Problem {
    match failure.sqlstate() {
        Some(LIMIT) => {
            let detail = format!("tenant {tenant} has as many endpoints as it may have");
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "quota", detail)
        }
        _ => failure.into(),
    }
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
        ("kind", body.kind.is_some()),
        ("backfill", body.backfill.is_some()),
    ] {
        if there {
            let detail = "cannot be changed here; there are /enable, /disable and /rotate-secret";
            return Err(Problem::field(format!("/{field}"), "read_only", detail));
        }
    }
    let mut change = body.change(&caller.db, api.egress(), &was.tenant, Some(&was)).await?;
    if was.is_pull() {
        pull::refuse_what_is_for_requests(&change)?;
    }
    if let Some(profiles) = &change.settings.signing {
        let secrets = endpoints::secrets(&caller.db, was.id).await?;
        endpoint::check_signed(&endpoints::lasting_kinds(&secrets), profiles)?;
    }
    check_apart(api, &was, &change)?;
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

/// No profile writes a header that the endpoint has of its own, whichever of the two changes. Headers that no key opens say nothing: they
/// are not sent either.
fn check_apart(api: &Api, was: &Endpoint, change: &EndpointChange) -> Result<(), Problem> {
    let headers = match &change.headers {
        Change::Set(headers) => headers.clone(),
        Change::Clear => return Ok(()),
        Change::Keep if change.settings.signing.is_none() => return Ok(()),
        Change::Keep => match was.headers(api.keys()) {
            Ok(headers) => headers,
            Err(_) => return Ok(()),
        },
    };
    let stored = Profile::list_from_json(&was.signing)?;
    let profiles = change.settings.signing.as_ref().unwrap_or(&stored);
    Ok(Profile::check_apart(profiles, &headers)?)
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
    if endpoint.is_pull() {
        return Err(not_sent_to());
    }
    if endpoint.enabled && endpoint.paused_at.is_some() {
        return Err(Problem::conflict(
            "endpoint.paused",
            "the endpoint is paused; resume it first",
        ));
    }
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

/// For what an endpoint that is read cannot have.
pub(super) fn not_sent_to() -> Problem {
    Problem::conflict("endpoint.kind", "nothing is sent to an endpoint of the kind pull")
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
