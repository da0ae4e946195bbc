//! `/deliveries`: what is owed and what came of it, and what can be done about one.

use axum::extract::Path;
use axum::response::Json;
use http::{Method, StatusCode};
use jiff::Timestamp;
use postrider_core::api_key::Scope;
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::deliveries::{self, DeliveryQuery};
use postrider_store::admin::events::EventKey;
use postrider_store::admin::{repair, status};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::caller::Caller;
use super::cursor::List;
use super::events::past;
use super::operation::{Operation, Param, param, tenant_param, time};
use super::params::Params;
use super::problem::Problem;
use super::redeliver::Redelivery;
use super::shapes::{
    BatchIdText, DeliveryIdText, DeliveryStatusWord, EndpointIdText, OutcomeWord, Page,
};

pub(super) fn operations() -> Vec<Operation> {
    let of = |method, path| (method, path);
    vec![
        Operation::new(
            (Method::GET, "/deliveries"),
            "list_deliveries",
            "Deliveries, those of the newest events first",
            list,
        )
        .params([tenant_param()])
        .params(list_params())
        .paged()
        .gives::<Page<Delivery>>(200, "One page"),
        Operation::new(
            of(Method::GET, "/deliveries/{delivery_id}"),
            "show_delivery",
            "One delivery",
            show,
        )
        .gives::<Delivery>(200, "The delivery"),
        Operation::new(
            of(Method::GET, "/deliveries/{delivery_id}/attempts"),
            "list_attempts",
            "The requests that were made for a delivery, and what was answered",
            attempts,
        )
        .gives::<Page<Attempt>>(200, "All of them"),
        Operation::new(
            of(Method::POST, "/deliveries/{delivery_id}/retry"),
            "retry_delivery",
            "Makes an open delivery due now, and sends what a closed one was about once more",
            retry,
        )
        .needs(Scope::Write)
        .gives::<Retried>(200, "What was done"),
        Operation::new(
            of(Method::POST, "/deliveries/{delivery_id}/cancel"),
            "cancel_delivery",
            "Ends an open delivery",
            cancel,
        )
        .needs(Scope::Write)
        .gives::<Delivery>(200, "The delivery as it is now"),
    ]
}

/// What lists of deliveries are narrowed by.
pub(super) fn list_params() -> [Param; 2] {
    let words: Vec<&str> = DeliveryStatus::ALL.iter().map(|status| status.as_str()).collect();
    [
        param("status", "Only those that are this", json!({ "type": "string", "enum": words })),
        param("since", "Of events not older than this; a day ago if nothing is said", time()),
    ]
}

/// One event owed to one endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Delivery {
    #[schemars(with = "DeliveryIdText")]
    id: DeliveryId,
    #[schemars(with = "EndpointIdText")]
    endpoint_id: EndpointId,
    tenant_id: String,
    /// Null once retention removed the event.
    event_id: Option<String>,
    event_type: Option<String>,
    event_created_at: Timestamp,
    #[schemars(with = "DeliveryStatusWord")]
    status: String,
    reason: Option<String>,
    attempts: i16,
    /// Of the last answer.
    last_status: Option<i16>,
    /// An error class.
    last_error: Option<String>,
    last_duration_ms: Option<i32>,
    next_attempt_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    replay: i16,
    /// A worker holds it now.
    in_flight: bool,
    #[schemars(with = "Option<BatchIdText>")]
    batch_id: Option<BatchId>,
}

/// One request.
#[derive(Debug, Serialize, JsonSchema)]
struct Attempt {
    attempt: i16,
    started_at: Timestamp,
    duration_ms: i32,
    status: Option<i16>,
    #[schemars(with = "OutcomeWord")]
    outcome: String,
    /// An error class.
    error: Option<String>,
    #[schemars(with = "Option<String>")]
    peer: Option<std::net::IpAddr>,
    detail: Option<String>,
    #[schemars(with = "Option<BatchIdText>")]
    batch_id: Option<BatchId>,
    response_headers: Option<String>,
    /// Its first 4 KiB, as far as they are text.
    response_body: Option<String>,
}

/// What retrying came to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Retried {
    /// It was open.
    Due {
        #[schemars(with = "DeliveryIdText")]
        delivery_id: DeliveryId,
        redelivered: bool,
        /// False: it is due already, or a worker holds it.
        changed: bool,
    },
    /// It was closed, and is owed once more.
    Redelivered(Redelivery),
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<Delivery>>, Problem> {
    let tenant = params.tenant()?;
    let tenant = caller.tenant_of(tenant.as_deref())?.map(str::to_owned);
    page(&caller, tenant.as_deref(), None, params).await
}

/// One page of a tenant's or an endpoint's deliveries, as the other parameters say.
pub(super) async fn page(
    caller: &Caller,
    tenant: Option<&str>,
    endpoint: Option<EndpointId>,
    mut params: Params,
) -> Result<Json<Page<Delivery>>, Problem> {
    let status = params.parsed::<DeliveryStatus>("status", "a status of deliveries")?;
    let (since, limit, cursor) = (params.time("since")?, params.limit()?, params.text("cursor"));
    params.end()?;
    let status = status.map(DeliveryStatus::as_str);
    let list = List::of("deliveries", &json!([tenant, endpoint, status, since]));
    let since = match since {
        Some(since) => since,
        None => past(status::clock(&caller.db).await?),
    };
    let before = list.key::<DeliveryId>(cursor.as_deref())?;
    let query = DeliveryQuery { tenant, endpoint, status, since, before, limit };
    let found = deliveries::list(&caller.db, &query).await?;
    let last = found.rows.last().map(|delivery| delivery.id);
    let rows = found.rows.into_iter().map(document).collect();
    Ok(Json(Page { cut: found.cut, ..list.page(rows, last, limit) }))
}

async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Delivery>, Problem> {
    params.end()?;
    Ok(Json(document(find(&caller, &id).await?)))
}

async fn attempts(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Page<Attempt>>, Problem> {
    params.end()?;
    let delivery = find(&caller, &id).await?;
    let attempts = deliveries::attempts(&caller.db, &delivery).await?;
    Ok(Json(Page::whole(attempts.into_iter().map(attempt).collect())))
}

async fn retry(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Retried>, Problem> {
    params.end()?;
    let delivery = find(&caller, &id).await?;
    if delivery.status == DeliveryStatus::Pending.as_str() {
        let changed = repair::retry(&caller.db, delivery.id).await?;
        let delivery_id = delivery.id;
        return Ok(Json(Retried::Due { delivery_id, redelivered: false, changed }));
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
        Some(done) => Ok(Json(Retried::Redelivered(Redelivery::new(delivery.endpoint, *done)))),
    }
}

async fn cancel(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Delivery>, Problem> {
    params.end()?;
    let delivery = find(&caller, &id).await?;
    if repair::cancel(&caller.db, delivery.id).await? {
        return Ok(Json(document(find(&caller, &id).await?)));
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

async fn find(caller: &Caller, id: &str) -> Result<deliveries::Delivery, Problem> {
    let missing = || Problem::not_found("delivery", "there is no such delivery");
    let id: DeliveryId = id.parse().map_err(|_| missing())?;
    deliveries::find(&caller.db, id, id).await?.into_iter().next().ok_or_else(missing)
}

/// A delivery as it is answered.
pub(super) fn document(delivery: deliveries::Delivery) -> Delivery {
    Delivery {
        id: delivery.id,
        endpoint_id: delivery.endpoint,
        tenant_id: delivery.tenant,
        event_id: delivery.event_id,
        event_type: delivery.event_type,
        event_created_at: delivery.event_created_at,
        status: delivery.status,
        reason: delivery.reason,
        attempts: delivery.attempts,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
        last_duration_ms: delivery.last_duration_ms,
        next_attempt_at: delivery.next_attempt_at,
        closed_at: delivery.closed_at,
        replay: delivery.replay,
        in_flight: delivery.leased,
        batch_id: delivery.batch,
    }
}

fn attempt(attempt: deliveries::Attempt) -> Attempt {
    let text =
        |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Attempt {
        attempt: attempt.number,
        started_at: attempt.started_at,
        duration_ms: attempt.duration_ms,
        status: attempt.status,
        outcome: attempt.outcome,
        error: attempt.error,
        peer: attempt.peer,
        detail: attempt.detail,
        batch_id: attempt.batch,
        response_headers: text(attempt.response_headers),
        response_body: text(attempt.response_body),
    }
}
