//! `/endpoints/{id}/stats`: what became of an endpoint's deliveries, by the hour or the day of their events.

use axum::extract::{Path, State};
use axum::response::Json;
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use postrider_store::admin::endpoints::stats::{self, Bucket, Period};
use postrider_store::admin::status;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

use super::Api;
use super::caller::Caller;
use super::endpoints::{find, of_path};
use super::events::past;
use super::operation::{Operation, param, time};
use super::params::{LONGEST, Params, refused};
use super::problem::Problem;
use super::shapes::BucketWord;

/// What is told hour by hour if nothing is said, and at most: a thousand hours.
const USUAL_HOURS: SignedDuration = SignedDuration::from_hours(7 * 24);
const MOST_HOURS: SignedDuration = SignedDuration::from_hours(1_000);

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/endpoints/{endpoint_id}/stats"),
            "endpoint_stats",
            "What became of an endpoint's deliveries, by the hour or the day of their events",
            count,
        )
        .params([
            param("since", "Of events not older than this; a day ago if nothing is said", time()),
            param(
                "until",
                "Of events older than this, now if nothing is said; at most 400 days later",
                time(),
            ),
            param(
                "bucket",
                "Hours, 1,000 at most, or days; hours for up to a week if nothing is said",
                json!({ "type": "string", "enum": ["hour", "day"] }),
            ),
        ])
        .gives::<Stats>(
            200,
            "Hours or days in their order, without those in which nothing was published for it",
        ),
    ]
}

/// What was counted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointStats")]
struct Stats {
    data: Vec<StatsPeriod>,
    #[schemars(with = "BucketWord")]
    bucket: &'static str,
    since: Timestamp,
    until: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
struct StatsPeriod {
    /// Its beginning.
    at: Timestamp,
    /// By status.
    deliveries: BTreeMap<String, i64>,
    /// Made for these deliveries so far.
    attempts: i64,
}

async fn count(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Json<Stats>, Problem> {
    let _place = api.sum()?;
    let (since, until) = (params.time("since")?, params.time("until")?);
    let bucket = match params.text("bucket").as_deref() {
        None => None,
        Some("hour") => Some(Bucket::Hour),
        Some("day") => Some(Bucket::Day),
        Some(_) => return Err(refused("bucket", "query.syntax", "must be hour or day")),
    };
    params.end()?;
    let id = find(&caller, of_path(&id)?).await?.id;
    let now = status::clock(&caller.finder).await?;
    let (since, until) = (since.unwrap_or_else(|| past(now)), until.unwrap_or(now));
    if until < since {
        return Err(refused("until", "time", "lies before since"));
    }
    let span = until.duration_since(since);
    if span > LONGEST {
        return Err(refused("since", "time", "lies more than 400 days before until"));
    }
    let usual = if span <= USUAL_HOURS { Bucket::Hour } else { Bucket::Day };
    let bucket = bucket.unwrap_or(usual);
    if bucket == Bucket::Hour && span > MOST_HOURS {
        return Err(refused(
            "bucket",
            "query.range",
            "that is more than 1,000 hours: ask for days",
        ));
    }
    let periods = stats::stats(&caller.finder, id, since, until, bucket).await?;
    let Some(periods) = periods else {
        let detail = "there is more in that time than can be counted: ask for a shorter one";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "stats.too_much", detail));
    };
    let data = periods.into_iter().map(period).collect();
    Ok(Json(Stats { data, bucket: bucket.as_str(), since, until }))
}

fn period(period: Period) -> StatsPeriod {
    StatsPeriod { at: period.at, deliveries: period.deliveries, attempts: period.attempts }
}
