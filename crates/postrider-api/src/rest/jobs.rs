//! `/endpoints/{id}/recover` and `/jobs`: what an endpoint failed to get, or missed, is sent once more, in the background.

use std::time::{Duration, Instant};

use axum::extract::Path;
use axum::response::{IntoResponse, Json, Response};
use http::{Method, StatusCode};
use jiff::Timestamp;
use postrider_core::api_key::Scope;
use postrider_core::endpoint;
use postrider_core::ids::{EndpointId, JobId};
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::jobs::{self, FAILED};
use postrider_store::admin::status;
use postrider_store::recover::{self, Recovery};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::{Body, parse};
use super::caller::Caller;
use super::cursor::List;
use super::endpoints::{find as find_endpoint, missing as missing_endpoint, of_path};
use super::operation::{Operation, tenant_param};
use super::params::Params;
use super::problem::Problem;
use super::shapes::{
    AnyObject, EndedStatusWord, EndpointIdText, EventTypePattern, JobIdText, JobStateWord, Page,
};

const USUAL_RATE: u16 = 50;
const MOST_RATE: u16 = 10_000;
/// How long is counted at most.
const COUNTING: Duration = Duration::from_secs(5);

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::POST, "/endpoints/{endpoint_id}/recover"),
            "recover_endpoint",
            "Sends what an endpoint failed to get, or missed, once more, in the background",
            recover,
        )
        .needs(Scope::Write)
        .takes::<Wanted>()
        .gives::<Counted>(200, "With dry_run: how much it would be")
        .gives::<Job>(202, "The job"),
        Operation::new((Method::GET, "/jobs"), "list_jobs", "Jobs, the newest first", list)
            .params([tenant_param()])
            .paged()
            .gives::<Page<Job>>(200, "One page"),
        Operation::new((Method::GET, "/jobs/{job_id}"), "show_job", "One job", show)
            .gives::<Job>(200, "The job"),
        Operation::new(
            (Method::POST, "/jobs/{job_id}/stop"),
            "stop_job",
            "Asks a job to stop, which it does within its next step",
            stop,
        )
        .needs(Scope::Write)
        .gives::<Job>(200, "The job"),
    ]
}

/// What is to be recovered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Recover")]
pub(super) struct Wanted {
    /// Of events published not before this.
    since: Timestamp,
    /// And before this; now if nothing is said.
    until: Option<Timestamp>,
    /// What the last delivery has become; exhausted, rejected, skipped and cancelled if nothing is said.
    #[schemars(with = "Option<Vec<EndedStatusWord>>")]
    statuses: Option<Vec<String>>,
    /// What the endpoint would want and never got, too.
    #[serde(default)]
    missed: bool,
    #[schemars(with = "Option<Vec<EventTypePattern>>", length(min = 1, max = 200))]
    event_types: Option<Vec<String>>,
    /// Deliveries a second.
    #[schemars(range(min = 1, max = 10_000))]
    rate: Option<u16>,
    /// For the job's own record.
    #[schemars(length(max = 200))]
    reason: Option<String>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
}

impl Wanted {
    /// What failed since then.
    pub(super) fn since(since: Timestamp) -> Self {
        Self {
            since,
            until: None,
            statuses: None,
            missed: false,
            event_types: None,
            rate: None,
            reason: None,
            dry_run: false,
        }
    }
}

/// Bulk work in the background.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Job {
    #[schemars(with = "JobIdText")]
    id: JobId,
    tenant_id: String,
    kind: String,
    #[schemars(with = "EndpointIdText")]
    endpoint_id: EndpointId,
    since: Timestamp,
    until: Timestamp,
    #[schemars(with = "AnyObject")]
    wanted: Value,
    /// Deliveries a second.
    rate: i32,
    #[schemars(with = "JobStateWord")]
    state: String,
    /// What was counted before it was made.
    pub(super) expected: Option<i64>,
    /// Deliveries made so far.
    made: i64,
    /// When the event was published up to which it has looked.
    looked_at: Option<Timestamp>,
    reason: Option<String>,
    error: Option<String>,
    /// Somebody asked it to stop.
    stop: bool,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

/// What became of asking for a recovery.
pub(super) enum Started {
    Counted(Counted),
    Queued(Box<Job>),
}

/// What a dry run counted.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Counted {
    dry_run: bool,
    expected: u64,
    /// False: counting took too long, and there are more.
    complete: bool,
}

async fn recover(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    Ok(match start(&caller, of_path(&id)?, parse(&body)?).await? {
        Started::Counted(counted) => Json(counted).into_response(),
        Started::Queued(job) => (StatusCode::ACCEPTED, Json(job)).into_response(),
    })
}

/// Counts what an endpoint is to have once more, and queues it unless only the count was wanted.
pub(super) async fn start(
    caller: &Caller,
    id: EndpointId,
    body: Wanted,
) -> Result<Started, Problem> {
    let of = find_endpoint(caller, id).await?;
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
    let (expected, complete) = match count(caller, &recovery).await {
        Err(problem) if problem.is_passing() && !body.dry_run => (0, false),
        counted => counted?,
    };
    if body.dry_run {
        return Ok(Started::Counted(Counted { dry_run: true, expected, complete }));
    }
    if !of.enabled {
        return Err(Problem::conflict("endpoint.disabled", "the endpoint is disabled"));
    }
    let counted = complete.then_some(expected);
    let job = jobs::recover(&caller.db, &recovery, rate, counted, reason).await?;
    let under_way = || Problem::conflict("job.under_way", "a job for this endpoint is under way");
    let job = find(caller, job.ok_or_else(under_way)?).await?;
    Ok(Started::Queued(Box::new(document(job))))
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<Job>>, Problem> {
    let (tenant, limit, cursor) = (params.tenant()?, params.limit()?, params.text("cursor"));
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let list = List::of("jobs", &json!([tenant]));
    let before = list.key(cursor.as_deref())?;
    let found = jobs::list(&caller.db, tenant, before, limit).await?;
    let last = found.last().map(|job| job.id);
    Ok(Json(list.page(found.into_iter().map(document).collect(), last, limit)))
}

async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Job>, Problem> {
    params.end()?;
    Ok(Json(document(find(&caller, of_job(&id)?).await?)))
}

async fn stop(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Job>, Problem> {
    params.end()?;
    let id = of_job(&id)?;
    find(&caller, id).await?;
    jobs::stop(&caller.db, id).await?;
    Ok(Json(document(find(&caller, id).await?)))
}

/// How many events would be sent, and whether all of that time was looked at.
async fn count(caller: &Caller, recovery: &Recovery) -> Result<(u64, bool), Problem> {
    let wants = jobs::wants(&caller.db, recovery).await?.ok_or_else(missing_endpoint)??;
    let (begun, mut expected, mut after) = (Instant::now(), 0, 0);
    loop {
        let piece = recover::look(&caller.db, recovery, &wants, after).await?;
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

async fn find(caller: &Caller, id: JobId) -> Result<jobs::Job, Problem> {
    jobs::find(&caller.db, id).await?.ok_or_else(missing)
}

fn document(job: jobs::Job) -> Job {
    Job {
        id: job.id,
        tenant_id: job.tenant,
        kind: job.kind,
        endpoint_id: job.endpoint,
        since: job.since,
        until: job.until,
        wanted: job.wanted,
        rate: job.rate,
        state: job.state,
        expected: job.expected,
        made: job.made,
        looked_at: job.looked_at,
        reason: job.reason,
        error: job.error,
        stop: job.stop,
        created_at: job.created_at,
        started_at: job.started_at,
        finished_at: job.finished_at,
    }
}
