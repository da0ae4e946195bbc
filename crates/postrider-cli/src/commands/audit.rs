//! `postrider audit`: every change of what people set: who, what, from where.

use jiff::Timestamp;
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
    /// List changes, newest first
    List(List),
    /// Print changes as JSON, a line each, oldest first, to be kept elsewhere
    Export(Export),
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

/// Options of `audit export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Only of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Not older than this: a time, or how long ago; none: all that is kept
    #[arg(long, value_name = "WHEN", value_parser = input::when)]
    since: Option<When>,
}

/// How many changes are read at a time.
const PAGE: i64 = 1000;

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::List(args) => list(context, database, &args).await,
        Command::Export(args) => export(context, database, &args).await,
    }
}

async fn export(context: &Context, database: &Database, args: &Export) -> Ended {
    let now = status::clock(&database.db).await?;
    let since = args.since.map_or(Timestamp::UNIX_EPOCH, |since| since.at(now));
    let (mut last, mut count): (Option<AuditEntry>, usize) = (None, 0);
    loop {
        let tenant = args.tenant.as_deref();
        let page = audit::export(&database.db, tenant, since, last.as_ref(), PAGE).await?;
        for entry in &page {
            context.out.line(&document(entry).to_string());
        }
        count += page.len();
        match page.into_iter().next_back() {
            Some(entry) => last = Some(entry),
            None => break,
        }
    }
    context.out.note(&format!("{count} changes"));
    Ok(Exit::Done)
}

async fn list(context: &Context, database: &Database, args: &List) -> Ended {
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
