//! `/events`: what was published, where it went and why, and sending it once more.

use axum::extract::Path;
use axum::response::Json;
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use postrider_core::api_key::Scope;
use postrider_store::admin::deliveries as stored;
use postrider_store::admin::events::{self, EventKey, EventQuery, EventSummary};
use postrider_store::admin::status;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::caller::Caller;
use super::cursor::List;
use super::deliveries::{Delivery, document as delivery_document};
use super::operation::{Operation, param, tenant_param, time};
use super::params::Params;
use super::problem::Problem;
use super::shapes::{AnyObject, EventStateWord, Page};

/// How far back a list looks if nothing is said.
const USUAL_PAST: SignedDuration = SignedDuration::from_hours(24);
/// Deliveries of an event that are shown.
const MOST_DELIVERIES: i64 = 1_000;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new((Method::GET, "/events"), "list_events", "Events, the newest first", list)
            .params([
                tenant_param(),
                param("type", "An exact type, or a prefix as email.*", json!({ "type": "string" })),
                param("since", "Not older than this; a day ago if nothing is said", time()),
            ])
            .paged()
            .gives::<Page<Event>>(200, "One page"),
        Operation::new(
            (Method::GET, "/events/{event_id}"),
            "show_event",
            "One event with its envelope",
            show,
        )
        .params([tenant_param()])
        .gives::<EventDetail>(200, "The event"),
        Operation::new(
            (Method::GET, "/events/{event_id}/deliveries"),
            "list_event_deliveries",
            "Where an event went",
            deliveries,
        )
        .params([tenant_param()])
        .gives::<Page<Delivery>>(200, "The first thousand"),
        Operation::new(
            (Method::GET, "/events/{event_id}/explain"),
            "explain_event",
            "Every endpoint of its tenant, matched or not, and the reason",
            super::explain::explain,
        )
        .params([tenant_param()])
        .gives::<super::explain::Explained>(200, "A verdict for each endpoint"),
        Operation::new(
            (Method::POST, "/events/{event_id}/redeliver"),
            "redeliver_event",
            "Sends an event again, to one endpoint or to all it was sent to",
            super::redeliver::redeliver,
        )
        .needs(Scope::Write)
        .params([tenant_param()])
        .may_take::<super::redeliver::Redeliver>()
        .gives::<super::redeliver::Redeliveries>(200, "What was done for each endpoint"),
    ]
}

/// An event in a list.
#[derive(Debug, Serialize, JsonSchema)]
struct Event {
    id: String,
    tenant_id: String,
    r#type: String,
    created_at: Timestamp,
    #[schemars(with = "EventStateWord")]
    state: String,
    #[schemars(with = "Option<AnyObject>")]
    attributes: Option<Value>,
    labels: Vec<String>,
    ordering_key: Option<String>,
    expires_at: Option<Timestamp>,
}

/// An event with all that was published.
#[derive(Debug, Serialize, JsonSchema)]
struct EventDetail {
    #[serde(flatten)]
    event: Event,
    /// Why it is not fanned out yet, or never will be.
    problem: Option<String>,
    traceparent: Option<String>,
    /// The body of every request, as it was published.
    #[schemars(with = "Option<AnyObject>")]
    envelope: Option<Box<RawValue>>,
    /// How many deliveries it has, by their status; of more than a thousand the first thousand count.
    deliveries: BTreeMap<String, u32>,
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<Event>>, Problem> {
    let (tenant, event_type) = (params.tenant()?, params.text("type"));
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
    let found = events::list(&caller.db, &query).await?;
    let last = found.rows.last().map(|event| event.seq);
    let rows = found.rows.into_iter().map(summary).collect();
    Ok(Json(Page { cut: found.cut, ..list.page(rows, last, limit) }))
}

async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<EventDetail>, Problem> {
    let key = find(&caller, &id, params).await?;
    let Some(found) = events::show(&caller.db, &key).await? else {
        let detail = "retention removed the event; its deliveries are known for longer";
        return Err(Problem::new(StatusCode::GONE, "event.gone", detail));
    };
    let mut deliveries = BTreeMap::new();
    for delivery in stored::of_event(&caller.db, &key, MOST_DELIVERIES).await? {
        *deliveries.entry(delivery.status).or_default() += 1;
    }
    let event = Event {
        id: key.id,
        tenant_id: key.tenant,
        r#type: found.event_type,
        created_at: key.created_at,
        state: found.state,
        attributes: found.attributes,
        labels: found.labels.unwrap_or_default(),
        ordering_key: found.ordering_key,
        expires_at: found.expires_at,
    };
    Ok(Json(EventDetail {
        event,
        problem: found.problem,
        traceparent: found.traceparent,
        // As it was published, number by number and key by key.
        envelope: serde_json::from_str(&found.envelope).ok(),
        deliveries,
    }))
}

async fn deliveries(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Page<Delivery>>, Problem> {
    let key = find(&caller, &id, params).await?;
    let found = stored::of_event(&caller.db, &key, MOST_DELIVERIES).await?;
    let cut = i64::try_from(found.len()).is_ok_and(|count| count >= MOST_DELIVERIES);
    let data = found.into_iter().map(delivery_document).collect();
    Ok(Json(Page { cut, ..Page::whole(data) }))
}

/// The event of a path: of the caller's tenant, or, for an admin, of the one it names where several have the id.
pub(super) async fn find(
    caller: &Caller,
    id: &str,
    mut params: Params,
) -> Result<EventKey, Problem> {
    let tenant = params.tenant()?;
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

fn summary(event: EventSummary) -> Event {
    Event {
        id: event.id,
        tenant_id: event.tenant,
        r#type: event.event_type,
        created_at: event.created_at,
        state: event.state,
        attributes: event.attributes,
        labels: event.labels.unwrap_or_default(),
        ordering_key: event.ordering_key,
        expires_at: event.expires_at,
    }
}
