//! `postrider deliveries`: what is owed to endpoints and what came of it. What can be done about one is in `repair`.

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::deliveries::{self, Attempt, Delivery, DeliveryQuery};
use postrider_store::admin::{SCAN_LIMIT, status};
use serde_json::{Value, json};

use super::{Ended, repair};
use crate::context::{Context, Database};
use crate::exit::Exit;
use crate::input::{self, When};
use crate::lookup;
use crate::output::{ago, pairs, safe, table, time};

/// What to do with deliveries.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List deliveries, those of the newest events first
    List(List),
    /// Show one delivery and its attempts
    Show(Id),
    /// Make an open delivery due now, or send what is closed once more
    Retry(Id),
    /// End an open delivery
    Cancel(Id),
}

/// One delivery.
#[derive(Debug, clap::Args)]
pub(crate) struct Id {
    /// The delivery: whd_… or the beginning of it
    #[arg(value_name = "DELIVERY")]
    pub(super) id: String,
}

/// Options of `deliveries list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only to this endpoint: whk_… or the beginning of it
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Only in this status: pending, delivered, exhausted, rejected, skipped, expired, cancelled
    #[arg(long, value_name = "STATUS")]
    status: Option<DeliveryStatus>,
    /// Only of events not older than this: a time, or how long ago
    #[arg(long, value_name = "WHEN", default_value = "7d", value_parser = input::when)]
    since: When,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those before this one: the last of the page before
    #[arg(long, value_name = "DELIVERY")]
    before: Option<DeliveryId>,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::List(args) => list(context, database, &args).await,
        Command::Show(args) => show(context, database, &args.id).await,
        Command::Retry(args) => repair::retry(context, database, &args.id).await,
        Command::Cancel(args) => repair::cancel(context, database, &args.id).await,
    }
}

async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let now = status::clock(&database.db).await?;
    let endpoint = match &args.endpoint {
        None => None,
        Some(text) => Some(match text.parse::<EndpointId>() {
            // A whole id may be that of a deleted endpoint, whose deliveries are history.
            Ok(id) => id,
            Err(_) => lookup::endpoint(&database.db, text).await?.id,
        }),
    };
    let query = DeliveryQuery {
        tenant: args.tenant.as_deref(),
        endpoint,
        status: args.status.map(DeliveryStatus::as_str),
        since: args.since.at(now),
        before: args.before,
        limit: args.limit,
    };
    let page = deliveries::list(&database.db, &query).await?;
    let full = i64::try_from(page.rows.len()).is_ok_and(|rows| rows == args.limit);
    let next = page.rows.last().filter(|_| full).map(|delivery| delivery.id);
    let data: Vec<Value> = page.rows.iter().map(document).collect();
    context.out.data(
        &json!({ "data": data, "has_more": next.is_some(), "next_cursor": next, "cut": page.cut }),
        || {
            table(
                ["DELIVERY", "ENDPOINT", "TYPE", "STATUS", "ATTEMPTS", "ANSWER", "WHEN"],
                page.rows.iter().map(|delivery| {
                    [
                        delivery.id.to_string(),
                        delivery.endpoint.to_string(),
                        delivery.event_type.clone().unwrap_or_else(|| "-".to_owned()),
                        delivery.status.clone(),
                        delivery.attempts.to_string(),
                        answer(delivery),
                        match (delivery.closed_at, delivery.next_attempt_at) {
                            (Some(closed), _) => ago(closed, now),
                            (None, Some(next)) if next > now => format!("next {}", ago(next, now)),
                            _ => "due".to_owned(),
                        },
                    ]
                }),
            )
        },
    );
    if let Some(next) = next {
        context.out.note(&format!("more with --before {next}"));
    }
    if page.cut {
        context.out.warn(&format!(
            "only the newest {SCAN_LIMIT} deliveries were looked at; there are older ones since {}",
            time(query.since)
        ));
    }
    Ok(Exit::Done)
}

async fn show(context: &Context, database: &Database, id: &str) -> Ended {
    let delivery = lookup::delivery(&database.db, id).await?;
    let attempts = deliveries::attempts(&database.db, &delivery).await?;
    let now = status::clock(&database.db).await?;
    let mut answered = document(&delivery);
    answered["attempt_log"] = attempts.iter().map(attempt_document).collect();
    context.out.data(&answered, || {
        let none = || "-".to_owned();
        let when = |at: Option<jiff::Timestamp>| {
            at.map_or_else(none, |at| format!("{} ({})", time(at), ago(at, now)))
        };
        let head = pairs([
            ("id", delivery.id.to_string()),
            ("endpoint", delivery.endpoint.to_string()),
            ("tenant", delivery.tenant.clone()),
            ("event", delivery.event_id.clone().unwrap_or_else(|| "gone by retention".to_owned())),
            ("type", delivery.event_type.clone().unwrap_or_else(none)),
            ("status", status_text(&delivery)),
            ("attempts", delivery.attempts.to_string()),
            ("sent in", delivery.batch.map_or_else(none, |batch| batch.to_string())),
            ("last answer", answer(&delivery)),
            ("took", delivery.last_duration_ms.map_or_else(none, |ms| format!("{ms} ms"))),
            ("next attempt", when(delivery.next_attempt_at)),
            ("closed", when(delivery.closed_at)),
        ]);
        let rows = attempts.iter().map(|attempt| {
            [
                attempt.number.to_string(),
                time(attempt.started_at),
                attempt.outcome.clone(),
                attempt_answer(attempt),
                format!("{} ms", attempt.duration_ms),
                safe(&lossy(attempt.response_body.as_deref()), 80),
            ]
        });
        let log = table(["ATTEMPT", "STARTED", "OUTCOME", "ANSWER", "TOOK", "BODY"], rows);
        if log.is_empty() { head } else { format!("{head}\n\n{log}") }
    });
    Ok(Exit::Done)
}

/// The status or the error class, with what more is known.
fn attempt_answer(attempt: &Attempt) -> String {
    let answer = match attempt.status {
        Some(status) => status.to_string(),
        None => attempt.error.clone().unwrap_or_default(),
    };
    match &attempt.detail {
        Some(detail) => format!("{answer} ({detail})"),
        None => answer,
    }
}

/// A delivery as JSON.
pub(crate) fn document(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id, "endpoint": delivery.endpoint, "tenant": delivery.tenant, "event_id": delivery.event_id,
        "event_type": delivery.event_type, "event_created_at": delivery.event_created_at, "status": delivery.status,
        "reason": delivery.reason, "attempts": delivery.attempts, "last_status": delivery.last_status,
        "last_error": delivery.last_error, "last_duration_ms": delivery.last_duration_ms,
        "next_attempt_at": delivery.next_attempt_at, "closed_at": delivery.closed_at, "replay": delivery.replay,
        "leased": delivery.leased, "batch": delivery.batch,
    })
}

fn attempt_document(attempt: &Attempt) -> Value {
    json!({
        "attempt": attempt.number, "started_at": attempt.started_at, "duration_ms": attempt.duration_ms, "status": attempt.status,
        "outcome": attempt.outcome, "error": attempt.error, "peer": attempt.peer, "detail": attempt.detail,
        "batch": attempt.batch,
        "response_headers": attempt.response_headers.as_deref().map(|bytes| lossy(Some(bytes))),
        "response_body": attempt.response_body.as_deref().map(|bytes| lossy(Some(bytes))),
    })
}

pub(super) fn status_text(delivery: &Delivery) -> String {
    match (&delivery.reason, delivery.leased) {
        (Some(reason), _) => format!("{}: {reason}", delivery.status),
        (None, true) => format!("{}: held by a worker", delivery.status),
        (None, false) => delivery.status.clone(),
    }
}

fn answer(delivery: &Delivery) -> String {
    match (delivery.last_status, &delivery.last_error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.clone(),
        (None, None) => "-".to_owned(),
    }
}

fn lossy(bytes: Option<&[u8]>) -> String {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}
