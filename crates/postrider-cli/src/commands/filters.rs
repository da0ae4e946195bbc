//! `postrider filters test`: what event types and a filter say of an event, or would have matched among the last ones.

use postrider_core::filter::{Attributes, Data, EventView, Explanation, Subscription};
use postrider_core::input::InputError;
use postrider_event::{DEFAULT_TENANT, EventType};
use postrider_store::admin::events;
use postrider_store::admin::filters::{self, Trial};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Ended;
use super::endpoints::check_tenant;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{pairs, safe, table, time};
use crate::{input, lookup};

/// What to do with filters.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Try a filter out; exits with 3 if it does not match the one event it is tried on
    Test(Test),
}

/// Options of `filters test`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("tried").required(true).args(["event", "event_id", "last"]))]
pub(crate) struct Test {
    /// Event types, separated by commas: exact, email.*, or *
    #[arg(long, value_name = "TYPES", value_delimiter = ',', default_value = "*")]
    types: Vec<String>,
    /// The filter as JSON; @FILE or -: from a file or standard input
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,
    /// An event that need not exist, as JSON with type, attributes, labels and data; @FILE or -: from a file or standard input
    #[arg(long, value_name = "JSON")]
    event: Option<String>,
    /// One that was published: its id or the beginning of it
    #[arg(long, value_name = "EVENT")]
    event_id: Option<String>,
    /// So many that the tenant published last
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=filters::MOST_TRIED))]
    last: Option<i64>,
    /// Whose events they are
    #[arg(long, value_name = "TENANT", default_value = DEFAULT_TENANT)]
    tenant: String,
}

/// An event to try a filter on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    r#type: String,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    labels: Vec<String>,
    data: Option<Box<RawValue>>,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    let Command::Test(args) = command;
    check_tenant(&args.tenant)?;
    let filter = args.filter.as_deref().map(filter).transpose()?;
    let subscription = Subscription::compile(&args.types, filter.as_ref()).map_err(|error| {
        Failure::new(Exit::Usage, format!("{}: {} ({})", error.pointer, error.detail, error.code))
    })?;
    if let Some(last) = args.last {
        let trial =
            filters::try_on_last(&database.db, &database.db, &args.tenant, &subscription, last)
                .await?;
        show_last(context, &trial);
        return Ok(Exit::Done);
    }
    let explanation = match (&args.event, &args.event_id) {
        (Some(event), _) => sample(&args.tenant, event, &subscription)?,
        (None, id) => kept(database, &args, id.as_deref(), &subscription).await?,
    };
    show_one(context, &explanation);
    Ok(if explanation.matched { Exit::Done } else { Exit::Negative })
}

fn filter(text: &str) -> Result<Value, Failure> {
    let text = input::text("filter", "filter.size", text)?;
    serde_json::from_str(&text)
        .map_err(|error| InputError::new("filter", "json", error.to_string()).into())
}

fn sample(tenant: &str, text: &str, subscription: &Subscription) -> Result<Explanation, Failure> {
    let text = input::text("event", "event.size", text)?;
    let event: Sample = serde_json::from_str(&text)
        .map_err(|error| InputError::new("event", "json", error.to_string()))?;
    let event_type = EventType::parse(event.r#type)
        .map_err(|invalid| InputError::new("event.type", invalid.code, invalid.detail))?;
    let attributes = Value::Object(event.attributes).to_string();
    let attributes = Attributes::parse(&attributes)
        .map_err(|error| InputError::new("event.attributes", "type", error.to_string()))?;
    let data = event.data.as_ref().map_or("null", |data| data.get());
    let data = Data::parse(data)
        .map_err(|error| InputError::new("event.data", "json", error.to_string()))?;
    Ok(subscription.explain(&EventView {
        tenant,
        event_type: event_type.as_str(),
        attributes: &attributes,
        labels: &event.labels,
        data: &data,
    }))
}

async fn kept(
    database: &Database,
    args: &Test,
    id: Option<&str>,
    subscription: &Subscription,
) -> Result<Explanation, Failure> {
    let key = lookup::event(&database.db, id.unwrap_or_default(), Some(&args.tenant)).await?;
    let gone = || Failure::new(Exit::Missing, format!("retention removed the event {}", key.id));
    let event = events::show(&database.db, &key).await?.ok_or_else(gone)?;
    filters::explain(&args.tenant, &event, subscription)
        .map_err(|why| Failure::new(Exit::Failed, "the event cannot be read").why(why))
}

fn show_one(context: &Context, explanation: &Explanation) {
    let answer = json!({ "matched": explanation.matched, "clauses": explanation.clauses });
    context.out.data(&answer, || {
        let failed: Vec<&str> =
            explanation.failed().iter().map(|clause| clause.pointer.as_str()).collect();
        let rows = explanation.clauses.iter().map(|clause| {
            let holds = if clause.matched { "holds" } else { "fails" };
            [clause.pointer.clone(), holds.to_owned(), safe(&clause.detail, 300)]
        });
        let head = match explanation.matched {
            true => "it matches".to_owned(),
            false => format!("it does not match: {}", failed.join(", ")),
        };
        format!("{head}\n\n{}", table(["CLAUSE", "", "WHY"], rows))
    });
}

fn show_last(context: &Context, trial: &Trial) {
    let matched = trial.matched.len();
    let answer = json!({
        "looked_at": trial.looked_at, "matched": matched, "missed": trial.missed, "event_ids": trial.matched,
        "failed_clauses": trial.failed, "unreadable": trial.unreadable, "oldest": trial.oldest,
    });
    context.out.data(&answer, || {
        let head = pairs([
            ("looked at", trial.looked_at.to_string()),
            ("since", trial.oldest.map_or("never".to_owned(), time)),
            ("matched", matched.to_string()),
            ("missed", trial.missed.to_string()),
            ("unreadable", trial.unreadable.to_string()),
        ]);
        let rows = trial.failed.iter().map(|(clause, count)| [clause.clone(), count.to_string()]);
        let failed = table(["CLAUSE THAT FAILED", "EVENTS"], rows);
        let ids = trial.matched.join("\n");
        let parts = [head, failed, ids];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n\n")
    });
}
