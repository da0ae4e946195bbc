//! `postrider audit`: every change of what people set: who, what, from where.

use postrider_store::admin::audit::{self, AuditEntry, AuditQuery};
use postrider_store::admin::{SCAN_LIMIT, status};
use serde_json::{Value, json};

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::Exit;
use crate::input::{self, When};
use crate::output::{safe, table, time};

/// What to do with the audit log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List changes, newest first; with --json whole, to be kept elsewhere
    List(List),
}

/// Options of `audit list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only of this thing, by its id
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only changes of this kind, such as endpoint.updated
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Not older than this: a time, or how long ago
    #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = input::when)]
    since: When,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those before this one: the last of the page before
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    let Command::List(args) = command;
    let now = status::clock(&database.db).await?;
    let query = AuditQuery {
        tenant: args.tenant.as_deref(),
        subject: args.subject.as_deref(),
        action: args.action.as_deref(),
        since: args.since.at(now),
        before: args.before,
        limit: args.limit,
        look: SCAN_LIMIT,
    };
    let page = audit::list(&database.db, &query).await?;
    let (entries, next) = (page.rows, page.next);
    let data: Vec<Value> = entries.iter().map(document).collect();
    context.out.data(
        &json!({ "data": data, "has_more": next.is_some(), "next_cursor": next, "cut": page.cut }),
        || {
            let rows = entries.iter().map(|entry| {
                let from =
                    entry.address.map_or_else(String::new, |address| format!(" from {address}"));
                [
                    time(entry.at),
                    format!("{}{from}", entry.actor),
                    entry.action.clone(),
                    entry.subject.clone(),
                    safe(&columns(&entry.changes), 100),
                ]
            });
            table(["WHEN", "WHO", "WHAT", "OF", "COLUMNS"], rows)
        },
    );
    if let Some(next) = next {
        context.out.note(&format!("more with --before {next}"));
    }
    Ok(Exit::Done)
}

/// The names of what was changed.
fn columns(changes: &Value) -> String {
    let names = changes.as_object().into_iter().flat_map(|changes| changes.keys());
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn document(entry: &AuditEntry) -> Value {
    json!({
        "id": entry.id, "at": entry.at, "tenant": entry.tenant, "actor": entry.actor, "address": entry.address,
        "request_id": entry.request_id, "action": entry.action, "subject": entry.subject, "changes": entry.changes,
    })
}
