//! `/filters/test`: what a filter says of an event, clause by clause, or would have matched among the last ones. Nothing is changed.

use std::collections::BTreeMap;

use axum::response::Json;
use http::{Method, StatusCode};
use jiff::Timestamp;
use postrider_core::endpoint::check_subscription;
use postrider_core::filter::{Attributes, Data, EventView, Explanation, Subscription};
use postrider_core::input::check_tenant;
use postrider_event::EventType;
use postrider_store::admin::events::{self, EventKey};
use postrider_store::admin::filters::{self, MOST_TRIED, Trial};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::body::{Body, parse};
use super::caller::Caller;
use super::operation::Operation;
use super::params::Params;
use super::problem::Problem;
use super::shapes::{
    AnyObject, AnyValue, EventIdText, EventTypePattern, EventTypeText, TenantText,
};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::POST, "/filters/test"),
            "test_filter",
            "What event types and a filter say of an event, clause by clause, or would have matched among the last ones",
            test,
        )
        .takes::<FilterTest>()
        .gives::<Tried>(200, "What came of it"),
    ]
}

/// A filter, and what it is tried on: exactly one of event, event_id and last.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FilterTest {
    /// An admin's to say; a tenant's key asks about its tenant.
    #[schemars(with = "Option<TenantText>")]
    tenant_id: Option<String>,
    /// As an endpoint has them; all if nothing is said.
    #[schemars(with = "Option<Vec<EventTypePattern>>", length(min = 1, max = 200))]
    event_types: Option<Vec<String>>,
    /// As an endpoint has it.
    #[schemars(with = "Option<AnyObject>")]
    filter: Option<Value>,
    /// An event that need not exist.
    event: Option<Sample>,
    /// One that was published.
    #[schemars(with = "Option<EventIdText>")]
    event_id: Option<String>,
    /// So many that the tenant published last.
    #[schemars(range(min = 1, max = 1_000))]
    last: Option<i64>,
}

/// An event to try a filter on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SampleEvent")]
struct Sample {
    #[schemars(with = "EventTypeText")]
    r#type: String,
    #[serde(default)]
    #[schemars(with = "AnyObject")]
    attributes: Map<String, Value>,
    #[serde(default)]
    labels: Vec<String>,
    #[schemars(with = "AnyValue")]
    data: Option<Box<RawValue>>,
}

/// What came of trying a filter.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "FilterTested")]
enum Tried {
    One(OneTried),
    Last(LastTried),
}

/// What it says of one event.
#[derive(Debug, Serialize, JsonSchema)]
struct OneTried {
    matched: bool,
    /// One for the event types and one for each clause: where it stands, whether it holds, and why. All must hold.
    #[schemars(with = "Vec<AnyObject>")]
    clauses: Value,
}

/// What it would have matched among the last events.
#[derive(Debug, Serialize, JsonSchema)]
struct LastTried {
    looked_at: u64,
    matched: u64,
    missed: u64,
    /// Those it matches, the newest first.
    event_ids: Vec<String>,
    /// Of each clause that failed, by its JSON pointer into the endpoint, for how many events; one event may fail by several.
    failed_clauses: BTreeMap<String, u64>,
    /// Events that no filter can read.
    unreadable: u64,
    /// When the oldest that was looked at was published.
    oldest: Option<Timestamp>,
}

async fn test(caller: Caller, params: Params, Body(body): Body) -> Result<Json<Tried>, Problem> {
    params.end()?;
    let body: FilterTest = parse(&body)?;
    let tenant = caller.tenant_for(body.tenant_id.as_deref())?;
    check_tenant(tenant)?;
    let types = body.event_types.unwrap_or_else(|| vec!["*".to_owned()]);
    check_subscription(&types, body.filter.as_ref())?;
    let subscription = Subscription::compile(&types, body.filter.as_ref())?;
    let tried = match (body.event, body.event_id, body.last) {
        (Some(event), None, None) => Tried::One(one(sample(tenant, &event, &subscription)?)),
        (None, Some(id), None) => Tried::One(one(kept(&caller, tenant, &id, &subscription).await?)),
        (None, None, Some(last)) => {
            if !(1..=MOST_TRIED).contains(&last) {
                let detail = format!("must be 1 to {MOST_TRIED}");
                return Err(Problem::field("/last", "last.range", &detail));
            }
            Tried::Last(last_of(
                filters::try_on_last(&caller.finder, &caller.db, tenant, &subscription, last)
                    .await?,
            ))
        }
        _ => {
            let detail = "name exactly one of event, event_id and last";
            return Err(Problem::field("/event", "required", detail));
        }
    };
    Ok(Json(tried))
}

/// What they say of an event that need not exist.
fn sample(
    tenant: &str,
    event: &Sample,
    subscription: &Subscription,
) -> Result<Explanation, Problem> {
    let event_type = EventType::parse(event.r#type.clone())
        .map_err(|invalid| Problem::field("/event/type", invalid.code, &invalid.detail))?;
    let attributes = Value::Object(event.attributes.clone()).to_string();
    let attributes = Attributes::parse(&attributes).map_err(|_| {
        let detail = "must be texts, numbers, booleans and nulls";
        Problem::field("/event/attributes", "type", detail)
    })?;
    let data = event.data.as_ref().map_or("null", |data| data.get());
    let data = Data::parse(data)
        .map_err(|error| Problem::field("/event/data", "json", &error.to_string()))?;
    Ok(subscription.explain(&EventView {
        tenant,
        event_type: event_type.as_str(),
        attributes: &attributes,
        labels: &event.labels,
        data: &data,
    }))
}

/// What they say of an event that was published.
async fn kept(
    caller: &Caller,
    tenant: &str,
    id: &str,
    subscription: &Subscription,
) -> Result<Explanation, Problem> {
    let missing = || Problem::not_found("event", "there is no such event");
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.is_empty() || id.len() > 64 || !id.bytes().all(known) {
        return Err(missing());
    }
    let found = events::find(&caller.db, id, Some(tenant)).await?;
    let exact = |key: &EventKey| key.id == id;
    let key = found.into_iter().find(exact).ok_or_else(missing)?;
    let Some(event) = events::show(&caller.db, &key).await? else {
        let detail = "retention removed the event";
        return Err(Problem::new(StatusCode::GONE, "event.gone", detail));
    };
    filters::explain(tenant, &event, subscription)
        .map_err(|detail| Problem::conflict("event.unreadable", detail))
}

fn one(explanation: Explanation) -> OneTried {
    let clauses = serde_json::to_value(&explanation.clauses).unwrap_or_default();
    OneTried { matched: explanation.matched, clauses }
}

fn last_of(trial: Trial) -> LastTried {
    LastTried {
        looked_at: trial.looked_at,
        matched: u64::try_from(trial.matched.len()).unwrap_or(u64::MAX),
        missed: trial.missed,
        event_ids: trial.matched,
        failed_clauses: trial.failed,
        unreadable: trial.unreadable,
        oldest: trial.oldest,
    }
}
