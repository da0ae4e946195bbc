//! `/events`: what was published, where it went and why, and sending it once more.

use axum::extract::Path;
use axum::response::Json;
use jiff::{SignedDuration, Timestamp};
use postrider_core::api_key::Scope;
use postrider_core::ids::EndpointId;
use postrider_store::admin::deliveries as stored;
use postrider_store::admin::events::{self, EventKey, EventQuery, EventSummary};
use postrider_store::admin::repair::{self, Redelivered};
use postrider_store::admin::{explain as explaining, status};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::body::Body;
use super::caller::Caller;
use super::cursor::List;
use super::deliveries::document as delivery_document;
use super::params::Params;
use super::problem::Problem;
use super::publish::parse;

/// How far back a list looks if nothing is said.
const USUAL_PAST: SignedDuration = SignedDuration::from_hours(24);
/// Deliveries of an event that are shown.
const MOST_DELIVERIES: i64 = 1_000;

pub(super) async fn list(caller: Caller, mut params: Params) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let (tenant, event_type) = (params.text("tenant_id"), params.text("type"));
    let (since, limit, cursor) = (params.time("since")?, params.limit()?, params.text("cursor"));
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let list = List::of("events", &json!([tenant, event_type, since]));
    let since = match since {
        Some(since) => since,
        None => past(status::clock(&caller.db).await?),
    };
    let query = EventQuery {
        tenant,
        event_type: event_type.as_deref().filter(|pattern| *pattern != "*"),
        since,
        before: list.key(cursor.as_deref())?,
        limit,
    };
    let page = events::list(&caller.db, &query).await?;
    let last = page.rows.last().map(|event| event.seq);
    let mut answer = list.page(page.rows.iter().map(summary).collect(), last, limit);
    answer["cut"] = page.cut.into();
    Ok(Json(answer))
}

pub(super) async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let key = find(&caller, &id, params).await?;
    let Some(event) = events::show(&caller.db, &key).await? else {
        let detail = "retention removed the event; its deliveries are known for longer";
        return Err(Problem::new(http::StatusCode::GONE, "event.gone", detail));
    };
    let deliveries = stored::of_event(&caller.db, &key, MOST_DELIVERIES).await?;
    let mut counts = serde_json::Map::new();
    for delivery in &deliveries {
        let count = counts.entry(delivery.status.clone()).or_insert_with(|| json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    // As it was published, number by number and key by key.
    let envelope: Option<Box<RawValue>> = serde_json::from_str(&event.envelope).ok();
    Ok(Json(json!({
        "id": key.id, "tenant_id": key.tenant, "type": event.event_type, "created_at": key.created_at, "state": event.state,
        "problem": event.problem, "attributes": event.attributes, "labels": event.labels.unwrap_or_default(),
        "ordering_key": event.ordering_key, "expires_at": event.expires_at, "traceparent": event.traceparent,
        "envelope": envelope, "deliveries": counts,
    })))
}

pub(super) async fn deliveries(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let key = find(&caller, &id, params).await?;
    let found = stored::of_event(&caller.db, &key, MOST_DELIVERIES).await?;
    let data: Vec<Value> = found.iter().map(delivery_document).collect();
    let cut = i64::try_from(data.len()).is_ok_and(|count| count >= MOST_DELIVERIES);
    Ok(Json(json!({ "data": data, "has_more": false, "next_cursor": null, "cut": cut })))
}

pub(super) async fn explain(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let key = find(&caller, &id, params).await?;
    let explained = explaining::event(&caller.db, &key).await?;
    let verdict = |verdict: &explaining::Verdict| {
        let delivery = |(id, status): &(_, String)| json!({ "id": id, "status": status });
        json!({
            "endpoint_id": verdict.endpoint, "url": verdict.url, "reason": verdict.reason, "detail": verdict.detail,
            "deliveries": verdict.deliveries.iter().map(delivery).collect::<Vec<_>>(),
            "clauses": verdict.explanation.as_ref().map(|explanation| &explanation.clauses),
        })
    };
    let data: Vec<Value> = explained.verdicts.iter().map(verdict).collect();
    Ok(Json(json!({ "event_id": key.id, "tenant_id": key.tenant, "data": data })))
}

/// What to send again.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Redeliver {
    /// Only to this one; else to all that it was sent to.
    endpoint_id: Option<EndpointId>,
}

pub(super) async fn redeliver(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Write)?;
    let wanted: Redeliver = if body.is_empty() { Redeliver::default() } else { parse(&body)? };
    let key = find(&caller, &id, params).await?;
    let endpoints = match wanted.endpoint_id {
        Some(endpoint) => {
            let of_tenant = super::endpoints::find(&caller, endpoint).await?;
            if of_tenant.tenant != key.tenant {
                return Err(Problem::not_found("endpoint", "there is no such endpoint"));
            }
            vec![endpoint]
        }
        None => repair::endpoints_of(&caller.db, &key).await?,
    };
    let done = repair::redeliver(&caller.db, &key, &endpoints).await?;
    let data: Vec<Value> = endpoints.iter().zip(done).map(redelivered).collect();
    Ok(Json(json!({ "event_id": key.id, "data": data })))
}

/// What came of sending it to one endpoint.
pub(super) fn redelivered((endpoint, done): (&EndpointId, Redelivered)) -> Value {
    match done {
        Redelivered::Owed { delivery, replay } => {
            json!({ "endpoint_id": endpoint, "delivery_id": delivery, "replay": replay, "redelivered": true })
        }
        Redelivered::StillOwed { delivery } => {
            json!({ "endpoint_id": endpoint, "delivery_id": delivery, "redelivered": false, "reason": "still_owed" })
        }
        Redelivered::Refused => {
            json!({ "endpoint_id": endpoint, "delivery_id": null, "redelivered": false, "reason": "endpoint_disabled" })
        }
    }
}

/// The event of a path: of the caller's tenant, or, for an admin, of the one it names where several have the id.
async fn find(caller: &Caller, id: &str, mut params: Params) -> Result<EventKey, Problem> {
    let tenant = params.text("tenant_id");
    params.end()?;
    let missing = || Problem::not_found("event", "there is no such event");
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.is_empty() || id.len() > 64 || !id.bytes().all(known) {
        return Err(missing());
    }
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let mut found = events::find(&caller.db, id, tenant).await?;
    found.retain(|key| key.id == id);
    match found.len() {
        0 => Err(missing()),
        1 => Ok(found.remove(0)),
        _ => Err(Problem::field(
            "?tenant_id",
            "event.ambiguous",
            "several tenants have this id: name one",
        )),
    }
}

/// The earliest time that a list looks at if nothing is said.
pub(super) fn past(now: Timestamp) -> Timestamp {
    now.checked_sub(USUAL_PAST).unwrap_or(Timestamp::MIN)
}

fn summary(event: &EventSummary) -> Value {
    json!({
        "id": event.id, "tenant_id": event.tenant, "type": event.event_type, "created_at": event.created_at, "state": event.state,
        "attributes": event.attributes, "labels": event.labels.as_deref().unwrap_or_default(), "ordering_key": event.ordering_key,
        "expires_at": event.expires_at,
    })
}
