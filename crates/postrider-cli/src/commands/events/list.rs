//! `postrider events list` and `exists`: events by what they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider_event::EventType;
use postrider_store::admin::events::EventSummary;
use postrider_store::admin::events::query::{self, EventQuery, Order};
use postrider_store::admin::{SCAN_LIMIT, status};
use serde_json::{Value, json};

use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input::{self, When};
use crate::output::{ago, table, time};

/// By what events are narrowed.
#[derive(Debug, clap::Args)]
struct Wanted {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only of this type: an exact name, or email.*
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// Only this user's: the attribute user_id, else distinct_id in the data
    #[arg(long, value_name = "ID")]
    distinct_id: Option<String>,
    /// Only with this attribute
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
    /// Only with this label
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Only those that stand here
    #[arg(long, value_name = "STATE", value_parser = ["pending", "failed", "fanned_out"])]
    state: Option<String>,
    /// Not older than this: a time, or how long ago
    #[arg(long, value_name = "WHEN", default_value = "1d", value_parser = input::when)]
    since: When,
    /// Older than this: a time, or how long ago
    #[arg(long, value_name = "WHEN", value_parser = input::when)]
    until: Option<When>,
}

/// Options of `events list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    wanted: Wanted,
    /// Newest first (desc) or oldest first (asc)
    #[arg(long, value_name = "ORDER", default_value = "desc", value_parser = ["asc", "desc"])]
    order: String,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those behind this number: the cursor of the page before
    #[arg(long, value_name = "CURSOR", alias = "before")]
    cursor: Option<i64>,
}

/// Options of `events exists`.
#[derive(Debug, clap::Args)]
pub(crate) struct Exists {
    #[command(flatten)]
    wanted: Wanted,
}

pub(crate) async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let now = status::clock(&database.db).await?;
    let attributes = args.wanted.attributes();
    let order = if args.order == "asc" { Order::OldestFirst } else { Order::NewestFirst };
    let query = EventQuery {
        order,
        after: args.cursor,
        limit: args.limit,
        ..args.wanted.query(&attributes, now)?
    };
    let page = query::list(&database.db, &database.db, &query).await?;
    let data: Vec<Value> = page.rows.iter().map(summary).collect();
    let next = page.next;
    context.out.data(
        &json!({ "data": data, "has_more": next.is_some(), "next_cursor": next, "cut": page.cut }),
        || {
            table(
                ["EVENT", "TYPE", "TENANT", "STATE", "PUBLISHED"],
                page.rows.iter().map(|event| {
                    [
                        event.id.clone(),
                        event.event_type.clone(),
                        event.tenant.clone(),
                        event.state.clone(),
                        ago(event.created_at, now),
                    ]
                }),
            )
        },
    );
    if let Some(next) = next {
        context.out.note(&format!("more with --cursor {next}"));
    }
    if page.cut {
        context.out.warn(&format!(
            "only {SCAN_LIMIT} events were looked at; there are more since {}",
            time(query.since)
        ));
    }
    Ok(Exit::Done)
}

pub(crate) async fn exists(context: &Context, database: &Database, args: &Exists) -> Ended {
    let now = status::clock(&database.db).await?;
    let attributes = args.wanted.attributes();
    let query = args.wanted.query(&attributes, now)?;
    let page = query::list(&database.db, &database.db, &query).await?;
    let newest = page.rows.first();
    if newest.is_none() && page.cut {
        return Err(Failure::new(
            Exit::Failed,
            format!("{SCAN_LIMIT} events were looked at, and none of them is one"),
        )
        .why("there are more in that time")
        .remedy("ask for a shorter time with --since and --until, or name the tenant"));
    }
    let document = json!({
        "exists": newest.is_some(), "event_id": newest.map(|event| &event.id), "tenant": newest.map(|event| &event.tenant),
        "at": newest.map(|event| event.created_at),
    });
    context.out.data(&document, || match newest {
        Some(event) => format!("yes: {} {}\n", event.id, ago(event.created_at, now)),
        None => "no\n".to_owned(),
    });
    Ok(if newest.is_some() { Exit::Done } else { Exit::Negative })
}

impl Wanted {
    fn attributes(&self) -> BTreeMap<String, String> {
        self.attribute.iter().cloned().collect()
    }

    /// The newest one of it.
    fn query<'a>(
        &'a self,
        attributes: &'a BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<EventQuery<'a>, Failure> {
        if let Some(pattern) = &self.r#type {
            check_pattern(pattern)?;
        }
        Ok(EventQuery {
            tenant: self.tenant.as_deref(),
            event_type: self.r#type.as_deref().filter(|pattern| *pattern != "*"),
            distinct_id: self.distinct_id.as_deref(),
            attributes,
            label: self.label.as_deref(),
            state: self.state.as_deref(),
            since: self.since.at(now).max(Timestamp::UNIX_EPOCH),
            until: self.until.map(|until| until.at(now).max(Timestamp::UNIX_EPOCH)),
            order: Order::NewestFirst,
            after: None,
            limit: 1,
            look: SCAN_LIMIT,
        })
    }
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn summary(event: &EventSummary) -> Value {
    json!({
        "id": event.id, "tenant": event.tenant, "type": event.event_type, "state": event.state, "created_at": event.created_at,
        "attributes": event.attributes, "labels": event.labels, "ordering_key": event.ordering_key, "expires_at": event.expires_at,
        "seq": event.seq,
    })
}

/// Whether a text is a type or a pattern of types.
pub(super) fn check_pattern(pattern: &str) -> Result<(), Failure> {
    let name = pattern.strip_suffix(".*").unwrap_or(pattern);
    if pattern == "*" || EventType::parse(name.to_owned()).is_ok() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "type: must be an exact name such as email.received, email.* or * (event_type.syntax)",
    ))
}
