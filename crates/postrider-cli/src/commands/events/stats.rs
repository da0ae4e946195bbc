//! `postrider events stats`: how many events there were, by what, and how many users they had.

use postrider_store::admin::events::stats::{self, Counted, Field, Group, StatsQuery};
use postrider_store::admin::status;
use serde_json::{Value, json};

use super::list::check_pattern;
use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input::{self, When};
use crate::output::{safe, table};

/// Options of `events stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct Stats {
    /// By what: type, day, template, attribute.NAME or data.PATH
    #[arg(long, value_name = "FIELD", default_value = "type", value_parser = grouping)]
    group_by: Field,
    /// Also of how many: distinct_id, attribute.NAME or data.PATH
    #[arg(long, value_name = "FIELD", value_parser = telling_apart)]
    unique: Option<Field>,
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only of this type: an exact name, or email.*
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// Not older than this: a time, or how long ago
    #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = input::when)]
    since: When,
    /// Older than this: a time, or how long ago
    #[arg(long, value_name = "WHEN", value_parser = input::when)]
    until: Option<When>,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Stats) -> Ended {
    if let Some(pattern) = &args.r#type {
        check_pattern(pattern)?;
    }
    let now = status::clock(&database.db).await?;
    let (since, until) = (args.since.at(now), args.until.map_or(now, |until| until.at(now)));
    let query = StatsQuery {
        tenant: args.tenant.as_deref(),
        event_type: args.r#type.as_deref().filter(|pattern| *pattern != "*"),
        since: since.max(jiff::Timestamp::UNIX_EPOCH),
        until: until.max(jiff::Timestamp::UNIX_EPOCH),
        group_by: args.group_by.clone(),
        unique: args.unique.clone(),
    };
    let Counted::Groups { groups, cut } = stats::stats(&database.db, &query).await? else {
        return Err(Failure::new(Exit::Failed, "there is more in that time than can be counted")
            .remedy("ask for a shorter time with --since and --until, or name the tenant"));
    };
    let data: Vec<Value> = groups
        .iter()
        .map(|group| json!({ "key": group.key, "count": group.events, "unique": group.unique }))
        .collect();
    let document = json!({ "data": data, "since": query.since, "until": query.until, "cut": cut });
    context.out.data(&document, || table(["KEY", "EVENTS", "UNIQUE"], groups.iter().map(row)));
    if cut {
        context.out.warn(&format!("only the {} largest are shown", groups.len()));
    }
    Ok(Exit::Done)
}

fn row(group: &Group) -> [String; 3] {
    [
        group.key.as_deref().map_or_else(|| "(none)".to_owned(), |key| safe(key, 200)),
        group.events.to_string(),
        group.unique.map(|unique| unique.to_string()).unwrap_or_default(),
    ]
}

fn grouping(text: &str) -> Result<Field, String> {
    let words = "must be type, day, template, attribute.NAME or data.PATH";
    Field::to_group_by(text).ok_or_else(|| words.to_owned())
}

fn telling_apart(text: &str) -> Result<Field, String> {
    let words = "must be distinct_id, attribute.NAME or data.PATH";
    Field::to_tell_apart(text).ok_or_else(|| words.to_owned())
}
