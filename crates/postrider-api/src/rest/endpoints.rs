//! `/endpoints`: where tenants want events sent. Never a secret, nor the value of a header.

use axum::extract::Path;
use axum::response::{Json, Response};
use postrider_core::api_key::Scope;
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::deliveries::DeliveryQuery;
use postrider_store::admin::endpoints::{self, Endpoint};
use postrider_store::admin::{deliveries as stored, status};
use serde_json::{Value, json};

use super::caller::Caller;
use super::cursor::List;
use super::deliveries::document as delivery_document;
use super::endpoint_changes::with_tag;
use super::events::past;
use super::params::Params;
use super::problem::Problem;

pub(super) async fn list(caller: Caller, mut params: Params) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let (tenant, limit, cursor) =
        (params.text("tenant_id"), params.limit()?, params.text("cursor"));
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let list = List::of("endpoints", &json!([tenant]));
    let after = list.key(cursor.as_deref())?;
    let found = endpoints::list(&caller.db, tenant, after, limit).await?;
    let last = found.last().map(|endpoint| endpoint.id);
    Ok(Json(list.page(found.iter().map(document).collect(), last, limit)))
}

pub(super) async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    params.end()?;
    Ok(with_tag(&find(&caller, of_path(&id)?).await?))
}

pub(super) async fn enable(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let id = find(&caller, of_path(&id)?).await?.id;
    endpoints::set_enabled(&caller.db, id, true, "").await?;
    Ok(Json(document(&find(&caller, id).await?)))
}

pub(super) async fn disable(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let id = find(&caller, of_path(&id)?).await?.id;
    endpoints::set_enabled(&caller.db, id, false, endpoints::BY_HAND).await?;
    endpoints::cancel_deliveries(&caller.db, id, endpoints::ENDPOINT_DISABLED).await?;
    settle().await;
    Ok(Json(document(&find(&caller, id).await?)))
}

pub(super) async fn delete(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let id = find(&caller, of_path(&id)?).await?.id;
    endpoints::delete(&caller.db, id).await?;
    let cancelled =
        endpoints::cancel_deliveries(&caller.db, id, endpoints::ENDPOINT_DELETED).await?;
    settle().await;
    Ok(Json(json!({ "id": id, "deleted": true, "cancelled": cancelled })))
}

pub(super) async fn deliveries(
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let status = params.parsed::<DeliveryStatus>("status", "a status of deliveries")?;
    let (since, limit, cursor) = (params.time("since")?, params.limit()?, params.text("cursor"));
    params.end()?;
    let id = of_path(&id)?;
    // A deleted one has a history still.
    let status = status.map(DeliveryStatus::as_str);
    let list = List::of("deliveries", &json!([id, status, since]));
    let since = match since {
        Some(since) => since,
        None => past(status::clock(&caller.db).await?),
    };
    let query = DeliveryQuery {
        tenant: caller.tenant.as_deref(),
        endpoint: Some(id),
        status,
        since,
        before: list.key::<DeliveryId>(cursor.as_deref())?,
        limit,
    };
    let page = stored::list(&caller.db, &query).await?;
    let last = page.rows.last().map(|delivery| delivery.id);
    let mut answer = list.page(page.rows.iter().map(delivery_document).collect(), last, limit);
    answer["cut"] = page.cut.into();
    Ok(Json(answer))
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

pub(super) fn document(endpoint: &Endpoint) -> Value {
    let batch = endpoint.batch.map(|batch| {
        json!({
            "max_events": batch.max_events(), "max_wait_ms": batch.max_wait().as_millis(), "max_bytes": batch.max_bytes(),
            "encoding": batch.encoding().as_str(),
        })
    });
    json!({
        "id": endpoint.id, "tenant_id": endpoint.tenant, "kind": "webhook", "url": endpoint.url, "description": endpoint.description,
        "event_types": endpoint.event_types, "filter": endpoint.filter, "has_headers": endpoint.headers_sealed.is_some(),
        "retry_schedule_ms": endpoint.retry_schedule_ms, "timeout_ms": endpoint.timeout_ms,
        "max_in_flight": endpoint.max_in_flight, "rate_limit": endpoint.rate_limit,
        "capture_responses": endpoint.capture_responses, "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason, "metadata": endpoint.metadata, "format": endpoint.format,
        "signing": endpoint.signing, "auth": endpoint.auth, "has_tls": endpoint.tls_sealed.is_some(),
        "ordering": endpoint.ordering.as_str(), "on_failure": endpoint.on_failure.to_text(), "batch": batch,
        "created_at": endpoint.created_at, "updated_at": endpoint.updated_at,
    })
}
