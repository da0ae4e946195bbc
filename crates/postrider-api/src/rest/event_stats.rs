//! `/events/exists` and `/events/stats`: what was published, as answers rather than lists.

use axum::extract::State;
use axum::response::Json;
use http::{Method, StatusCode};
use jiff::Timestamp;
use postrider_store::admin::events::query::{self, EventQuery};
use postrider_store::admin::events::stats::{self, Counted, Field, Group, StatsQuery};
use postrider_store::admin::{SCAN_LIMIT, status};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Api;
use super::caller::Caller;
use super::event_filter::{Wanted, narrowing};
use super::operation::{Operation, Param, param, tenant_param, text, time};
use super::params::{LONGEST, Params, refused};
use super::problem::Problem;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/events/exists"),
            "event_exists",
            "Whether there is such an event, and the newest one; attribute.NAME=VALUE narrows by an attribute",
            exists,
        )
        .params(narrowing())
        .gives::<Existence>(200, "The newest one, or none"),
        Operation::new(
            (Method::GET, "/events/stats"),
            "event_stats",
            "How many events there were, by what, and how many users or other values they had",
            count,
        )
        .params([
            tenant_param(),
            param("type", "An exact type, or a prefix as email.*", text()),
            Param {
                required: true,
                ..param("group_by", "type, day, template, attribute.NAME or data.PATH", grouping())
            },
            param("unique", "Of how many: distinct_id, attribute.NAME or data.PATH", telling_apart()),
            Param { required: true, ..param("since", "Not older than this", time()) },
            param("until", "Older than this, now if nothing is said; at most 400 days later", time()),
        ])
        .gives::<Stats>(200, "Days in their order, others by their size"),
    ]
}

fn grouping() -> Value {
    let pattern = r"^(type|day|template|attribute\..+|data(\.[^.]+)+)$";
    json!({ "type": "string", "pattern": pattern })
}

fn telling_apart() -> Value {
    json!({ "type": "string", "pattern": r"^(distinct_id|attribute\..+|data(\.[^.]+)+)$" })
}

/// Whether there is an event.
#[derive(Debug, Serialize, JsonSchema)]
struct Existence {
    exists: bool,
    /// The newest.
    event_id: Option<String>,
    tenant_id: Option<String>,
    at: Option<Timestamp>,
}

async fn exists(
    State(api): State<Api>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Existence>, Problem> {
    let _place = api.sum()?;
    let wanted = Wanted::of(&mut params)?;
    params.end()?;
    let tenant = caller.tenant_of(wanted.tenant.as_deref())?;
    let since = wanted.since(&caller).await?;
    let query = EventQuery { look: SCAN_LIMIT, ..wanted.query(tenant, since) };
    let found = query::list(&caller.finder, &caller.db, &query).await?;
    if found.cut && found.rows.is_empty() {
        return Err(too_much("query.too_much"));
    }
    let newest = found.rows.into_iter().next();
    Ok(Json(Existence {
        exists: newest.is_some(),
        at: newest.as_ref().map(|event| event.created_at),
        tenant_id: newest.as_ref().map(|event| event.tenant.clone()),
        event_id: newest.map(|event| event.id),
    }))
}

/// What was counted.
#[derive(Debug, Serialize, JsonSchema)]
struct Stats {
    /// A thousand at most.
    data: Vec<StatsGroup>,
    since: Timestamp,
    until: Timestamp,
    /// The smallest groups were left out.
    cut: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct StatsGroup {
    /// Null: of events that have no such value.
    key: Option<String>,
    count: i64,
    /// How many values there were of what `unique` names.
    unique: Option<i64>,
}

async fn count(
    State(api): State<Api>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<Stats>, Problem> {
    let _place = api.sum()?;
    let (tenant, event_type) = (params.tenant()?, params.text("type"));
    let (group_by, unique) = (params.text("group_by"), params.text("unique"));
    let (since, until) = (params.time("since")?, params.time("until")?);
    params.end()?;
    let group_by = group_by.as_deref().and_then(Field::to_group_by).ok_or_else(|| {
        let words = "required: type, day, template, attribute.NAME or data.PATH";
        refused("group_by", "query.syntax", words)
    })?;
    let unique = match unique {
        None => None,
        Some(text) => Some(Field::to_tell_apart(&text).ok_or_else(|| {
            let words = "must be distinct_id, attribute.NAME or data.PATH";
            refused("unique", "query.syntax", words)
        })?),
    };
    let since = since.ok_or_else(|| refused("since", "time", "required: how far back to count"))?;
    let until = match until {
        Some(until) => until,
        None => status::clock(&caller.finder).await?,
    };
    if until < since {
        return Err(refused("until", "time", "lies before since"));
    }
    if until.duration_since(since) > LONGEST {
        return Err(refused("since", "time", "lies more than 400 days before until"));
    }
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let event_type = event_type.as_deref().filter(|pattern| *pattern != "*");
    let query = StatsQuery { tenant, event_type, since, until, group_by, unique };
    match stats::stats(&caller.db, &query).await? {
        Counted::TooMuch => Err(too_much("stats.too_much")),
        Counted::Groups { groups, cut } => {
            let data = groups.into_iter().map(group).collect();
            Ok(Json(Stats { data, since, until, cut }))
        }
    }
}

fn group(group: Group) -> StatsGroup {
    StatsGroup { key: group.key, count: group.events, unique: group.unique }
}

fn too_much(code: &'static str) -> Problem {
    let detail = "there is more in that time than can be looked at: ask for a shorter one";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}
