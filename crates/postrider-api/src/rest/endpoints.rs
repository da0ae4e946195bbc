//! `/endpoints`: where tenants want events sent. Never a secret, nor the value of a header.

use axum::extract::Path;
use axum::response::{Json, Response};
use http::Method;
use jiff::Timestamp;
use postrider_core::api_key::Scope;
use postrider_core::endpoint::check_reason;
use postrider_core::ids::EndpointId;
use postrider_store::admin::endpoints::{self, Endpoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::{Body, parse};
use super::caller::Caller;
use super::cursor::List;
use super::deliveries::{self, Delivery};
use super::endpoint_body::{EndpointChanges, NewEndpointBody};
use super::endpoint_changes::{self as changes, with_tag};
use super::endpoint_secrets as secrets;
use super::operation::{Operation, tenant_param};
use super::params::Params;
use super::problem::Problem;
use super::shapes::{AnyObject, AnyValue, EndpointIdText, EndpointKindWord, Page};

pub(super) fn operations() -> Vec<Operation> {
    let of = |method, path| (method, path);
    vec![
        Operation::new(of(Method::GET, "/endpoints"), "list_endpoints", "Endpoints, the oldest first", list)
            .params([tenant_param()])
            .paged()
            .gives::<Page<EndpointDocument>>(200, "One page"),
        Operation::new(of(Method::POST, "/endpoints"), "create_endpoint", "Adds an endpoint", changes::create)
            .needs(Scope::Write)
            .takes::<NewEndpointBody>()
            .gives::<changes::Created>(201, "The endpoint, with its secret, which is shown this once"),
        Operation::new(of(Method::GET, "/endpoints/{endpoint_id}"), "show_endpoint", "One endpoint, with its ETag", show)
            .gives::<EndpointDocument>(200, "The endpoint"),
        Operation::new(
            of(Method::PATCH, "/endpoints/{endpoint_id}"),
            "update_endpoint",
            "Changes what is named and looks at nothing else; with If-Match only if nobody has changed it",
            changes::update,
        )
        .needs(Scope::Write)
        .takes::<EndpointChanges>()
        .gives::<EndpointDocument>(200, "The endpoint as it is now"),
        Operation::new(of(Method::DELETE, "/endpoints/{endpoint_id}"), "delete_endpoint", "Deletes an endpoint and cancels what it is owed", delete)
            .needs(Scope::Write)
            .gives::<Deleted>(200, "Nothing is sent there any more"),
        Operation::new(of(Method::POST, "/endpoints/{endpoint_id}/enable"), "enable_endpoint", "Lets an endpoint have new events; sends nothing old", enable)
            .needs(Scope::Write)
            .gives::<EndpointDocument>(200, "The endpoint"),
        Operation::new(of(Method::POST, "/endpoints/{endpoint_id}/disable"), "disable_endpoint", "Stops an endpoint and cancels what it is owed", disable)
            .needs(Scope::Write)
            .gives::<EndpointDocument>(200, "Nothing starts any more"),
        Operation::new(
            of(Method::POST, "/endpoints/{endpoint_id}/pause"),
            "pause_endpoint",
            "Keeps what an endpoint is owed waiting; events go on being matched, and nothing is lost",
            pause,
        )
        .needs(Scope::Write)
        .may_take::<Pause>()
        .gives::<EndpointDocument>(200, "Nothing starts any more"),
        Operation::new(
            of(Method::POST, "/endpoints/{endpoint_id}/resume"),
            "resume_endpoint",
            "Lets a paused endpoint go on, with a clean record of its health; what waited goes at once",
            resume,
        )
        .needs(Scope::Write)
        .gives::<EndpointDocument>(200, "The endpoint"),
        Operation::new(
            of(Method::POST, "/endpoints/{endpoint_id}/rotate-secret"),
            "rotate_endpoint_secret",
            "Gives an endpoint a new secret beside those it has, which end after the overlap",
            secrets::rotate_secret,
        )
        .needs(Scope::Write)
        .may_take::<secrets::Rotation>()
        .gives::<secrets::Rotated>(201, "The secret, shown this once"),
        Operation::new(
            of(Method::POST, "/endpoints/{endpoint_id}/test"),
            "test_endpoint",
            "Sends a signed test event, whose delivery says what came of it",
            changes::test,
        )
        .needs(Scope::Write)
        .gives::<changes::Tested>(202, "It is on its way"),
        Operation::new(
            of(Method::GET, "/endpoints/{endpoint_id}/deliveries"),
            "list_endpoint_deliveries",
            "What an endpoint is owed and got, also of one that was deleted",
            deliveries_of,
        )
        .params(deliveries::list_params())
        .paged()
        .gives::<Page<Delivery>>(200, "One page"),
    ]
}

/// An endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub(super) struct EndpointDocument {
    #[schemars(with = "EndpointIdText")]
    id: EndpointId,
    tenant_id: String,
    /// pull: its events are read at /endpoints/{endpoint_id}/events.
    #[schemars(with = "EndpointKindWord")]
    kind: String,
    /// Null of an endpoint that is read.
    url: Option<String>,
    description: String,
    event_types: Vec<String>,
    #[schemars(with = "Option<AnyObject>")]
    filter: Option<Value>,
    has_headers: bool,
    /// Before attempt 2, 3, …; null: the standard schedule.
    retry_schedule_ms: Option<Vec<i32>>,
    timeout_ms: Option<i32>,
    max_in_flight: Option<i32>,
    /// Requests a second.
    rate_limit: Option<i32>,
    capture_responses: bool,
    enabled: bool,
    disabled_reason: Option<String>,
    /// Since when somebody has kept its deliveries waiting.
    paused_at: Option<Timestamp>,
    paused_reason: Option<String>,
    #[schemars(with = "AnyValue")]
    metadata: Value,
    format: String,
    /// Signing profiles.
    #[schemars(with = "AnyValue")]
    signing: Value,
    /// The kind of its login.
    auth: Option<String>,
    has_tls: bool,
    #[schemars(with = "String")]
    ordering: &'static str,
    on_failure: String,
    batch: Option<BatchDocument>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// How events go together.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Batch")]
struct BatchDocument {
    max_events: u64,
    max_wait_ms: u64,
    max_bytes: u64,
    #[schemars(with = "String")]
    encoding: &'static str,
}

/// An endpoint that is gone.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointDeleted")]
struct Deleted {
    #[schemars(with = "EndpointIdText")]
    id: EndpointId,
    deleted: bool,
    /// Deliveries that were cancelled.
    cancelled: u64,
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<EndpointDocument>>, Problem> {
    let (tenant, limit, cursor) = (params.tenant()?, params.limit()?, params.text("cursor"));
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let list = List::of("endpoints", &json!([tenant]));
    let after = list.key(cursor.as_deref())?;
    let found = endpoints::list(&caller.db, tenant, after, limit).await?;
    let last = found.last().map(|endpoint| endpoint.id);
    Ok(Json(list.page(found.into_iter().map(document).collect(), last, limit)))
}

async fn show(caller: Caller, Path(id): Path<String>, params: Params) -> Result<Response, Problem> {
    params.end()?;
    Ok(with_tag(find(&caller, of_path(&id)?).await?))
}

async fn enable(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<EndpointDocument>, Problem> {
    params.end()?;
    let id = of_path(&id)?;
    switch(&caller, id, true).await?;
    Ok(Json(document(find(&caller, id).await?)))
}

async fn disable(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<EndpointDocument>, Problem> {
    params.end()?;
    let id = of_path(&id)?;
    switch(&caller, id, false).await?;
    Ok(Json(document(find(&caller, id).await?)))
}

/// Why an endpoint is paused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Pause {
    /// For whoever looks at it later.
    #[schemars(length(max = 200))]
    reason: Option<String>,
}

async fn pause(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Json<EndpointDocument>, Problem> {
    params.end()?;
    let Pause { reason } = if body.is_empty() { Pause::default() } else { parse(&body)? };
    reason.as_deref().map_or(Ok(()), check_reason)?;
    let id = find(&caller, of_path(&id)?).await?.id;
    endpoints::set_paused(&caller.db, id, true, reason.as_deref()).await?;
    settle().await;
    Ok(Json(document(find(&caller, id).await?)))
}

async fn resume(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<EndpointDocument>, Problem> {
    params.end()?;
    let id = find(&caller, of_path(&id)?).await?.id;
    endpoints::set_paused(&caller.db, id, false, None).await?;
    Ok(Json(document(find(&caller, id).await?)))
}

/// Enables or disables an endpoint. A disabled one is owed nothing any more.
pub(super) async fn switch(caller: &Caller, id: EndpointId, enabled: bool) -> Result<(), Problem> {
    find(caller, id).await?;
    let reason = if enabled { "" } else { endpoints::BY_HAND };
    endpoints::set_enabled(&caller.db, id, enabled, reason).await?;
    if !enabled {
        endpoints::cancel_deliveries(&caller.db, id, endpoints::ENDPOINT_DISABLED).await?;
        settle().await;
    }
    Ok(())
}

async fn delete(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Deleted>, Problem> {
    params.end()?;
    let id = of_path(&id)?;
    let cancelled = remove(&caller, id).await?;
    Ok(Json(Deleted { id, deleted: true, cancelled }))
}

/// Deletes an endpoint; how many deliveries were cancelled with it.
pub(super) async fn remove(caller: &Caller, id: EndpointId) -> Result<u64, Problem> {
    find(caller, id).await?;
    endpoints::delete(&caller.db, id).await?;
    let cancelled =
        endpoints::cancel_deliveries(&caller.db, id, endpoints::ENDPOINT_DELETED).await?;
    settle().await;
    Ok(cancelled)
}

/// A deleted one has a history still.
async fn deliveries_of(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Page<Delivery>>, Problem> {
    let id = of_path(&id)?;
    let page = deliveries::page(&caller, caller.tenant.as_deref(), Some(id), params).await?;
    if page.data.is_empty() && !page.has_more {
        find(&caller, id).await?;
    }
    Ok(page)
}

/// After the answer nothing starts any more by what the endpoint was.
async fn settle() {
    tokio::time::sleep(endpoints::CHANGE_SETTLES).await;
}

pub(super) fn missing() -> Problem {
    Problem::not_found("endpoint", "there is no such endpoint")
}

pub(super) fn of_path(id: &str) -> Result<EndpointId, Problem> {
    id.parse().map_err(|_| missing())
}

/// The endpoint of this id, if the caller may see it.
pub(super) async fn find(caller: &Caller, id: EndpointId) -> Result<Endpoint, Problem> {
    endpoints::find(&caller.db, id, id).await?.into_iter().next().ok_or_else(missing)
}

pub(super) fn document(endpoint: Endpoint) -> EndpointDocument {
    let batch = endpoint.batch.map(|batch| BatchDocument {
        max_events: batch.max_events().into(),
        max_wait_ms: u64::try_from(batch.max_wait().as_millis()).unwrap_or(u64::MAX),
        max_bytes: batch.max_bytes().into(),
        encoding: batch.encoding().as_str(),
    });
    let sent_to = !endpoint.is_pull();
    EndpointDocument {
        id: endpoint.id,
        tenant_id: endpoint.tenant,
        url: sent_to.then_some(endpoint.url),
        kind: endpoint.kind,
        description: endpoint.description,
        event_types: endpoint.event_types,
        filter: endpoint.filter,
        has_headers: endpoint.headers_sealed.is_some(),
        retry_schedule_ms: endpoint.retry_schedule_ms,
        timeout_ms: endpoint.timeout_ms,
        max_in_flight: endpoint.max_in_flight,
        rate_limit: endpoint.rate_limit,
        capture_responses: endpoint.capture_responses,
        enabled: endpoint.enabled,
        disabled_reason: endpoint.disabled_reason,
        paused_at: endpoint.paused_at,
        paused_reason: endpoint.paused_reason,
        metadata: endpoint.metadata,
        format: endpoint.format,
        signing: endpoint.signing,
        auth: endpoint.auth,
        has_tls: endpoint.tls_sealed.is_some(),
        ordering: endpoint.ordering.as_str(),
        on_failure: endpoint.on_failure.to_text(),
        batch,
        created_at: endpoint.created_at,
        updated_at: endpoint.updated_at,
    }
}
