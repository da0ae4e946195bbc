//! `postrider recover`: what an endpoint failed to get, or missed, since a time is sent to it once more. Counted and confirmed first, then
//! done in the background by the workers, at a bounded pace.

use std::time::{Duration, Instant};

use postrider_core::ids::JobId;
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::jobs::{self, FAILED};
use postrider_store::admin::status;
use postrider_store::recover::{self, Recovery, Waiting};
use serde_json::json;

use super::Ended;
use super::jobs::document;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input::{self, When};
use crate::lookup;

const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often somebody who waits is told, or who sees nothing but a counter.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Options of `recover`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The endpoint: whk_… or the beginning of it
    #[arg(value_name = "ENDPOINT")]
    endpoint: String,
    /// Events published since this: a time, or how long ago
    #[arg(long, value_name = "WHEN", value_parser = input::when)]
    since: When,
    /// And before this; default: now
    #[arg(long, value_name = "WHEN", value_parser = input::when)]
    until: Option<When>,
    /// What their last delivery has become; default: exhausted, rejected, skipped and cancelled
    #[arg(long = "status", value_name = "STATUS", value_delimiter = ',')]
    statuses: Vec<DeliveryStatus>,
    /// And those that it would want, by its types and filter, and never got
    #[arg(long)]
    missed: bool,
    /// Only these event types: exact names, or email.*
    #[arg(long = "type", value_name = "TYPES", value_delimiter = ',')]
    types: Vec<String>,
    /// Deliveries a second
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    rate: u16,
    /// Why, for who looks at the job later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Wait until it is done
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let endpoint = lookup::endpoint(&database.db, &args.endpoint).await?;
    super::endpoints::check_sent_to(&endpoint)?;
    let now = status::clock(&database.db).await?;
    let recovery = Recovery {
        tenant: endpoint.tenant.clone(),
        endpoint: endpoint.id,
        since: args.since.at(now),
        until: args.until.map_or(now, |until| until.at(now)),
        statuses: if args.statuses.is_empty() { FAILED.to_vec() } else { args.statuses.clone() },
        missed: args.missed,
        types: args.types.clone(),
    };
    if recovery.statuses.contains(&DeliveryStatus::Pending) {
        return Err(Failure::new(
            Exit::Usage,
            "--status pending: what is still owed is not sent once more",
        )
        .remedy("postrider deliveries retry"));
    }
    if recovery.since > recovery.until {
        return Err(Failure::new(Exit::Usage, "--until lies before --since"));
    }
    if args.reason.as_ref().is_some_and(|reason| reason.chars().count() > 200) {
        return Err(Failure::new(Exit::Usage, "reason: has more than 200 characters"));
    }
    let expected = count(context, database, &recovery).await?;
    if args.dry_run || expected == 0 {
        let answer = json!({ "endpoint": endpoint.id, "expected": expected, "job": null });
        context
            .out
            .data(&answer, || format!("{expected} events would be sent to {}", endpoint.url));
        return Ok(Exit::Done);
    }
    if !endpoint.enabled {
        return Err(Failure::new(Exit::Failed, format!("{} is disabled", endpoint.id))
            .remedy(format!("postrider endpoints enable {}", endpoint.id)));
    }
    let what =
        format!("send {expected} events to {} once more, {} a second", endpoint.url, args.rate);
    context.confirm(&what)?;
    let reason = args.reason.as_deref();
    let job = jobs::recover(&database.db, &recovery, args.rate, Some(expected), reason).await?;
    let job = job.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("a job for {} is under way", endpoint.id))
            .remedy("postrider jobs list; wait for it, or \"postrider jobs stop\" it")
    })?;
    if args.wait {
        return wait(context, database, job).await;
    }
    let answer = json!({ "endpoint": endpoint.id, "expected": expected, "job": job });
    context.out.data(&answer, || format!("{job} is queued: {expected} events"));
    context.out.note(&format!("How it goes:  postrider jobs show {job}"));
    Ok(Exit::Done)
}

/// How many events would be sent, by the same walk that sends them.
async fn count(
    context: &Context,
    database: &Database,
    recovery: &Recovery,
) -> Result<u64, Failure> {
    let wants = match jobs::wants(&database.db, recovery).await? {
        Some(Ok(wants)) => wants,
        Some(Err(error)) => return Err(Failure::new(Exit::Usage, error.to_string())),
        None => return Err(Failure::new(Exit::Missing, "the endpoint was deleted just now")),
    };
    let (mut expected, mut after, mut told) = (0, 0, Instant::now());
    loop {
        let piece = recover::look(&database.db, recovery, &wants, after, Waiting::LeftOut).await?;
        expected += u64::try_from(piece.owed.len()).unwrap_or(u64::MAX);
        if piece.last {
            return Ok(expected);
        }
        after = piece.looked_to;
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            let at = piece.looked_at.map_or_else(String::new, |at| format!(", at those of {at}"));
            context.out.note(&format!("counting: {expected} so far{at}"));
        }
    }
}

async fn wait(context: &Context, database: &Database, id: JobId) -> Ended {
    let mut told = Instant::now();
    loop {
        let job = jobs::find(&database.db, id).await?;
        let job =
            job.ok_or_else(|| Failure::new(Exit::Missing, format!("there is no job {id}")))?;
        if job.finished_at.is_some() {
            context
                .out
                .data(&document(&job), || format!("{id} is {}: {} events", job.state, job.made));
            return match (job.state.as_str(), job.error) {
                ("failed", why) => {
                    Err(Failure::new(Exit::Failed, format!("{id} failed"))
                        .why(why.unwrap_or_default()))
                }
                ("stopped", _) => Ok(Exit::Negative),
                _ => Ok(Exit::Done),
            };
        }
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            let of = job.expected.map_or_else(String::new, |expected| format!(" of {expected}"));
            context.out.note(&format!("{id} is {}: {}{of}", job.state, job.made));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
