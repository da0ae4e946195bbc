//! `postrider prune`: what the janitor does by the hour, now, and what it did.

use postrider_janitor::{PruneReport, Retention, prune};
use serde_json::json;

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::Exit;
use crate::output::pairs;

/// Options of `prune`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let configured = context.config.retention;
    if !args.dry_run {
        context.confirm("remove what is older than the configured retention for good")?;
    }
    let retention = Retention {
        events: configured.events,
        deliveries: configured.deliveries,
        ledger: configured.ledger,
        audit: configured.audit,
        jobs: configured.jobs,
        ..Retention::default()
    };
    let report = prune(&database.db, &retention, args.dry_run).await?;
    context.out.data(&document(&report), || text(&report));
    for kept in &report.kept {
        context.out.note(&format!("kept {}: {}", kept.name, kept.why));
    }
    if report.dry_run {
        context.out.note("nothing was changed (--dry-run)");
    }
    Ok(Exit::Done)
}

fn text(report: &PruneReport) -> String {
    pairs([
        ("events", report.events.to_string()),
        ("deliveries", report.deliveries.to_string()),
        ("attempts", report.attempts.to_string()),
        ("event ids", report.ledger.to_string()),
        ("publish failures", report.publish_failures.to_string()),
        ("failed events", report.failed_events.to_string()),
        ("audit log", report.audit.to_string()),
        ("jobs", report.jobs.to_string()),
        ("expired deliveries", report.expired.to_string()),
        (
            "partitions dropped",
            if report.dropped.is_empty() { "none".to_owned() } else { report.dropped.join("\n") },
        ),
    ])
}

fn document(report: &PruneReport) -> serde_json::Value {
    json!({
        "dry_run": report.dry_run, "events": report.events, "deliveries": report.deliveries, "attempts": report.attempts,
        "event_ids": report.ledger, "publish_failures": report.publish_failures, "failed_events": report.failed_events,
        "audit": report.audit, "jobs": report.jobs,
        "expired": report.expired, "dropped": report.dropped,
        "kept": report.kept.iter().map(|kept| json!({ "name": kept.name, "why": kept.why })).collect::<Vec<_>>(),
    })
}
