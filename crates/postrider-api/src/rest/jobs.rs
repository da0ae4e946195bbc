//! `/endpoints/{id}/recover` and `/jobs`: what an endpoint failed to get, or missed, is sent once more, in the background.

use std::time::{Duration, Instant};

use axum::extract::Path;
use axum::response::{IntoResponse, Json, Response};
use http::StatusCode;
use jiff::Timestamp;
use postrider_core::api_key::Scope;
use postrider_core::endpoint;
use postrider_core::ids::JobId;
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::jobs::{self, FAILED, Job};
use postrider_store::admin::status;
use postrider_store::recover::{self, Recovery, Waiting};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::caller::Caller;
use super::cursor::List;
use super::endpoints::{find as find_endpoint, missing as missing_endpoint, of_path};
use super::params::Params;
use super::problem::Problem;
use super::publish::parse;

const USUAL_RATE: u16 = 50;
const MOST_RATE: u16 = 10_000;
/// How long is counted at most.
const COUNTING: Duration = Duration::from_secs(5);

/// What is to be recovered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    since: Timestamp,
    until: Option<Timestamp>,
    statuses: Option<Vec<String>>,
    #[serde(default)]
    missed: bool,
    event_types: Option<Vec<String>>,
    rate: Option<u16>,
    reason: Option<String>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn recover(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let body: Wanted = parse(&body)?;
    let of = find_endpoint(&caller, of_path(&id)?).await?;
    let status = |word: &String| {
        word.parse::<DeliveryStatus>()
            .ok()
            .filter(|status| *status != DeliveryStatus::Pending)
            .ok_or_else(|| {
                Problem::field("/statuses", "status", "must be what deliveries have ended as")
            })
    };
    let recovery = Recovery {
        tenant: of.tenant.clone(),
        endpoint: of.id,
        since: body.since.max(Timestamp::UNIX_EPOCH),
        until: body.until.unwrap_or(status::clock(&caller.db).await?),
        statuses: match &body.statuses {
            None => FAILED.to_vec(),
            Some(words) => words.iter().map(status).collect::<Result<_, _>>()?,
        },
        missed: body.missed,
        types: body.event_types.unwrap_or_default(),
    };
    if !recovery.types.is_empty() {
        endpoint::check_subscription(&recovery.types, None)?;
    }
    let rate = body.rate.unwrap_or(USUAL_RATE);
    if !(1..=MOST_RATE).contains(&rate) {
        return Err(Problem::field("/rate", "rate.range", "must be 1 to 10000"));
    }
    if recovery.since > recovery.until {
        return Err(Problem::field("/until", "until.order", "lies before since"));
    }
    let reason = body.reason.as_deref();
    if reason.is_some_and(|reason| reason.chars().count() > 200 || reason.contains('\0')) {
        return Err(Problem::field("/reason", "reason.length", "has more than 200 characters"));
    }
    // Where it takes too long, a job can be queued without.
    let (expected, complete) = match count(&caller, &recovery).await {
        Err(problem) if problem.is_passing() && !body.dry_run => (0, false),
        counted => counted?,
    };
    if body.dry_run {
        return Ok(Json(json!({ "expected": expected, "complete": complete })).into_response());
    }
    if !of.enabled {
        return Err(Problem::conflict("endpoint.disabled", "the endpoint is disabled"));
    }
    let counted = complete.then_some(expected);
    let job = jobs::recover(&caller.db, &recovery, rate, counted, reason).await?;
    let under_way = || Problem::conflict("job.under_way", "a job for this endpoint is under way");
    let job = find(&caller, job.ok_or_else(under_way)?).await?;
    Ok((StatusCode::ACCEPTED, Json(document(&job))).into_response())
}

pub(super) async fn list(caller: Caller, mut params: Params) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let (tenant, limit, cursor) =
        (params.text("tenant_id"), params.limit()?, params.text("cursor"));
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let list = List::of("jobs", &json!([tenant]));
    let before = list.key(cursor.as_deref())?;
    let found = jobs::list(&caller.db, tenant, before, limit).await?;
    let last = found.last().map(|job| job.id);
    Ok(Json(list.page(found.iter().map(document).collect(), last, limit)))
}

pub(super) async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    params.end()?;
    Ok(Json(document(&find(&caller, of_job(&id)?).await?)))
}

pub(super) async fn stop(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Write)?;
    params.end()?;
    let id = of_job(&id)?;
    find(&caller, id).await?;
    jobs::stop(&caller.db, id).await?;
    Ok(Json(document(&find(&caller, id).await?)))
}

/// How many events would be sent, and whether all of that time was looked at.
async fn count(caller: &Caller, recovery: &Recovery) -> Result<(u64, bool), Problem> {
    let wants = jobs::wants(&caller.db, recovery).await?.ok_or_else(missing_endpoint)??;
    let (begun, mut expected, mut after) = (Instant::now(), 0, 0);
    loop {
        let piece = recover::look(&caller.db, recovery, &wants, after, Waiting::LeftOut).await?;
        expected += u64::try_from(piece.owed.len()).unwrap_or(u64::MAX);
        if piece.last || begun.elapsed() > COUNTING {
            return Ok((expected, piece.last));
        }
        after = piece.looked_to;
    }
}

fn missing() -> Problem {
    Problem::not_found("job", "there is no such job")
}

fn of_job(id: &str) -> Result<JobId, Problem> {
    id.parse().map_err(|_| missing())
}

async fn find(caller: &Caller, id: JobId) -> Result<Job, Problem> {
    jobs::find(&caller.db, id).await?.ok_or_else(missing)
}

fn document(job: &Job) -> Value {
    json!({
        "id": job.id, "tenant_id": job.tenant, "kind": job.kind, "endpoint_id": job.endpoint, "since": job.since, "until": job.until,
        "wanted": job.wanted, "rate": job.rate, "state": job.state, "expected": job.expected, "made": job.made,
        "looked_at": job.looked_at, "reason": job.reason, "error": job.error, "stop": job.stop, "created_at": job.created_at,
        "started_at": job.started_at, "finished_at": job.finished_at,
    })
}
