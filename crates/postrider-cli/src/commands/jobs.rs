//! `postrider jobs`: bulk work in the background: looked at and stopped.

use postrider_core::ids::JobId;
use postrider_store::admin::jobs::{self, Job};
use postrider_store::admin::status;
use serde_json::{Value, json};

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{ago, pairs, table, time};

/// What to do with jobs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List jobs, newest first
    List(List),
    /// Show one job
    Show(Id),
    /// Ask a job to stop; what it has made stays
    Stop(Id),
}

/// Options of `jobs list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those before this one: the last of the page before
    #[arg(long, value_name = "JOB")]
    before: Option<JobId>,
}

/// One job.
#[derive(Debug, clap::Args)]
pub(crate) struct Id {
    /// The job: job_…
    #[arg(value_name = "JOB")]
    id: JobId,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::List(args) => list(context, database, &args).await,
        Command::Show(args) => show(context, database, args.id).await,
        Command::Stop(args) => stop(context, database, args.id).await,
    }
}

async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let now = status::clock(&database.db).await?;
    let found = jobs::list(&database.db, args.tenant.as_deref(), args.before, args.limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|rows| rows == args.limit);
    let next = found.last().filter(|_| full).map(|job| job.id);
    let data: Vec<Value> = found.iter().map(document).collect();
    context.out.data(
        &json!({ "data": data, "has_more": next.is_some(), "next_cursor": next }),
        || {
            let rows = found.iter().map(|job| {
                [
                    job.id.to_string(),
                    job.tenant.clone(),
                    job.kind.clone(),
                    job.endpoint.to_string(),
                    state(job),
                    progress(job),
                    ago(job.created_at, now),
                ]
            });
            table(["JOB", "TENANT", "KIND", "ENDPOINT", "STATE", "MADE", "QUEUED"], rows)
        },
    );
    if let Some(next) = next {
        context.out.note(&format!("more with --before {next}"));
    }
    Ok(Exit::Done)
}

async fn show(context: &Context, database: &Database, id: JobId) -> Ended {
    let job = jobs::find(&database.db, id).await?.ok_or_else(|| missing(id))?;
    context.out.data(&document(&job), || {
        let when = |at: Option<jiff::Timestamp>| at.map_or_else(|| "-".to_owned(), time);
        pairs([
            ("id", job.id.to_string()),
            ("tenant", job.tenant.clone()),
            ("endpoint", job.endpoint.to_string()),
            ("events", format!("{} to {}", time(job.since), time(job.until))),
            ("wanted", job.wanted.to_string()),
            ("state", state(&job)),
            ("made", progress(&job)),
            ("a second", job.rate.to_string()),
            ("has come to", when(job.looked_at)),
            ("started", when(job.started_at)),
            ("finished", when(job.finished_at)),
            ("reason", job.reason.clone().unwrap_or_else(|| "-".to_owned())),
        ])
    });
    Ok(Exit::Done)
}

async fn stop(context: &Context, database: &Database, id: JobId) -> Ended {
    let stopped = jobs::stop(&database.db, id).await?;
    let job = jobs::find(&database.db, id).await?.ok_or_else(|| missing(id))?;
    let mut answer = document(&job);
    answer["changed"] = stopped.into();
    context.out.data(&answer, || match stopped {
        true => format!("{id} stops"),
        false => format!("{id} was {} already", state(&job)),
    });
    Ok(Exit::Done)
}

fn missing(id: JobId) -> Failure {
    Failure::new(Exit::Missing, format!("there is no job {id}"))
}

fn state(job: &Job) -> String {
    match (&job.error, job.stop && job.finished_at.is_none()) {
        (Some(error), _) => format!("{}: {error}", job.state),
        (None, true) => "stopping".to_owned(),
        (None, false) => job.state.clone(),
    }
}

fn progress(job: &Job) -> String {
    match job.expected {
        Some(expected) => format!("{} of {expected}", job.made),
        None => job.made.to_string(),
    }
}

/// A job as JSON.
pub(super) fn document(job: &Job) -> Value {
    json!({
        "id": job.id, "tenant": job.tenant, "kind": job.kind, "endpoint": job.endpoint, "since": job.since, "until": job.until,
        "wanted": job.wanted, "rate": job.rate, "state": job.state, "expected": job.expected, "made": job.made,
        "looked_at": job.looked_at, "reason": job.reason, "error": job.error, "stop": job.stop, "created_at": job.created_at,
        "started_at": job.started_at, "finished_at": job.finished_at,
    })
}
