//! `/deliveries`: what is owed and what came of it, and what can be done about one.

use axum::extract::Path;
use axum::response::Json;
use http::StatusCode;
use postrider_core::api_key::Scope;
use postrider_core::ids::DeliveryId;
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::deliveries::{self, Attempt, Delivery};
use postrider_store::admin::events::EventKey;
use postrider_store::admin::repair;
use serde_json::{Value, json};

use super::caller::Caller;
use super::events::redelivered;
use super::params::Params;
use super::problem::Problem;

pub(super) async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    params.end()?;
    Ok(Json(document(&find(&caller, &id).await?)))
}

pub(super) async fn attempts(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    params.end()?;
    let delivery = find(&caller, &id).await?;
    let attempts = deliveries::attempts(&caller.db, &delivery).await?;
    let data: Vec<Value> = attempts.iter().map(attempt).collect();
    Ok(Json(json!({ "data": data, "has_more": false, "next_cursor": null })))
}

/// Makes an open delivery due now, and sends what a closed one was about once more.
pub(super) async fn retry(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let delivery = find(&caller, &id).await?;
    if delivery.status == DeliveryStatus::Pending.as_str() {
        let changed = repair::retry(&caller.db, delivery.id).await?;
        return Ok(Json(
            json!({ "delivery_id": delivery.id, "redelivered": false, "changed": changed }),
        ));
    }
    let Some(event) = delivery.event_id.clone() else {
        let detail = "retention removed the event, so there is nothing to send any more";
        return Err(Problem::new(StatusCode::GONE, "event.gone", detail));
    };
    let (seq, created_at) = (delivery.event_seq, delivery.event_created_at);
    let event = EventKey { seq, created_at, tenant: delivery.tenant.clone(), id: event };
    let done = repair::redeliver(&caller.db, &event, &[delivery.endpoint]).await?;
    match done.first() {
        Some(repair::Redelivered::Refused) | None => {
            Err(Problem::conflict("endpoint.disabled", "the endpoint is disabled or deleted"))
        }
        Some(done) => Ok(Json(redelivered((&delivery.endpoint, *done)))),
    }
}

pub(super) async fn cancel(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let delivery = find(&caller, &id).await?;
    if repair::cancel(&caller.db, delivery.id).await? {
        return Ok(Json(document(&find(&caller, &id).await?)));
    }
    let now = find(&caller, &id).await?;
    Err(match now.leased || now.closed_at.is_none() {
        true => {
            Problem::conflict("delivery.in_flight", "a worker holds it just now").again_after(5)
        }
        false => {
            Problem::conflict("delivery.closed", format!("it has ended before: {}", now.status))
        }
    })
}

async fn find(caller: &Caller, id: &str) -> Result<Delivery, Problem> {
    let missing = || Problem::not_found("delivery", "there is no such delivery");
    let id: DeliveryId = id.parse().map_err(|_| missing())?;
    deliveries::find(&caller.db, id, id).await?.into_iter().next().ok_or_else(missing)
}

/// A delivery as JSON.
pub(super) fn document(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id, "endpoint_id": delivery.endpoint, "tenant_id": delivery.tenant, "event_id": delivery.event_id,
        "event_type": delivery.event_type, "event_created_at": delivery.event_created_at, "status": delivery.status,
        "reason": delivery.reason, "attempts": delivery.attempts, "last_status": delivery.last_status,
        "last_error": delivery.last_error, "last_duration_ms": delivery.last_duration_ms,
        "next_attempt_at": delivery.next_attempt_at, "closed_at": delivery.closed_at, "replay": delivery.replay,
        "in_flight": delivery.leased, "batch_id": delivery.batch,
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    json!({
        "attempt": attempt.number, "started_at": attempt.started_at, "duration_ms": attempt.duration_ms, "status": attempt.status,
        "outcome": attempt.outcome, "error": attempt.error, "peer": attempt.peer, "detail": attempt.detail, "batch_id": attempt.batch,
        "response_headers": text(&attempt.response_headers), "response_body": text(&attempt.response_body),
    })
}
