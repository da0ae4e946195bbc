//! `postrider failed`: what went wrong for good, and the way back for events that fan-out gave up on.

use postrider_store::admin::{failures, status};
use serde_json::json;

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::lookup;
use crate::output::{ago, safe, table};

/// What to do with failures.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List events that could not be fanned out, and best-effort publishes that failed
    List(List),
    /// Put failed events back on the queue
    Requeue(Requeue),
}

/// Options of `failed list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// How many of each
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only events after this number: the cursor of the page before
    #[arg(long, value_name = "CURSOR", default_value_t = -1)]
    after: i64,
}

/// Options of `failed requeue`.
#[derive(Debug, clap::Args)]
pub(crate) struct Requeue {
    /// The event: its id or the beginning of it
    #[arg(value_name = "EVENT", required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// Whose, where several tenants have this id
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// All of them
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::List(args) => list(context, database, &args).await,
        Command::Requeue(args) => requeue(context, database, &args).await,
    }
}

async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let events = failures::list(&database.db, args.after, args.limit).await?;
    let publishes = failures::publish_failures(&database.db, args.limit).await?;
    let now = status::clock(&database.db).await?;
    let full = i64::try_from(events.len()).is_ok_and(|rows| rows == args.limit);
    let next = events.last().filter(|_| full).map(|event| event.seq);
    let document = json!({
        "events": events.iter().map(|event| json!({
            "id": event.id, "tenant": event.tenant, "type": event.event_type, "created_at": event.created_at, "failed_at": event.failed_at,
            "attempts": event.attempts, "reason": event.reason, "last_error": event.last_error, "seq": event.seq,
        })).collect::<Vec<_>>(),
        "publishes": publishes.iter().map(|publish| json!({
            "id": publish.event_id, "tenant": publish.tenant, "type": publish.event_type, "failed_at": publish.failed_at, "reason": publish.reason,
        })).collect::<Vec<_>>(),
        "next_cursor": next,
    });
    context.out.data(&document, || {
        let dash = |text: &Option<String>| {
            text.as_deref().map_or_else(|| "-".to_owned(), |text| safe(text, 128))
        };
        let events = events.iter().map(|event| {
            let why = event.last_error.as_deref().unwrap_or(&event.reason);
            [
                dash(&event.id),
                dash(&event.event_type),
                dash(&event.tenant),
                ago(event.failed_at, now),
                safe(why, 100),
            ]
        });
        let publishes = publishes.iter().map(|publish| {
            [
                dash(&publish.event_id),
                dash(&publish.event_type),
                dash(&publish.tenant),
                ago(publish.failed_at, now),
                safe(&publish.reason, 100),
            ]
        });
        let parts = [
            table(["FAILED EVENT", "TYPE", "TENANT", "FAILED", "WHY"], events),
            table(["FAILED PUBLISH", "TYPE", "TENANT", "FAILED", "WHY"], publishes),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
    });
    if let Some(next) = next {
        context.out.note(&format!("more events with --after {next}"));
    }
    Ok(Exit::Done)
}

async fn requeue(context: &Context, database: &Database, args: &Requeue) -> Ended {
    let seqs = match &args.id {
        Some(id) => Some(vec![lookup::event(&database.db, id, args.tenant.as_deref()).await?.seq]),
        None => None,
    };
    let done = failures::requeue(&database.db, seqs.as_deref()).await?;
    if let Some(id) = &args.id
        && done == failures::Requeued::default()
    {
        return Err(Failure::new(Exit::Missing, format!("event {id} is not among the failed"))
            .remedy("postrider failed list"));
    }
    context
        .out
        .data(&json!({ "requeued": done.requeued, "without_body": done.without_body }), || {
            format!("{} events are on the queue again", done.requeued)
        });
    if done.without_body > 0 {
        context.out.warn(&format!(
            "{} events stay failed: retention removed their content",
            done.without_body
        ));
    }
    Ok(if done.without_body > 0 { Exit::Negative } else { Exit::Done })
}
