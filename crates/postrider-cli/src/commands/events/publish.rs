//! `postrider events publish`: one event through the same library that services use.

use std::time::Duration;

use postrider::{DEFAULT_TENANT, Event, EventType, Published};
use serde_json::json;

use crate::commands::Ended;
use crate::commands::publishing::{Publisher, invalid};
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::pairs;

/// Options of `events publish`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's type, such as email.received
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Whose event
    #[arg(long, value_name = "TENANT", default_value = DEFAULT_TENANT)]
    tenant: String,
    /// The payload: JSON, @FILE or - for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    data: String,
    /// Part of the natural key that the id is made from; may be repeated
    #[arg(long = "key", value_name = "PART", conflicts_with = "id")]
    key: Vec<String>,
    /// An id of your own; without it or a key the id is random
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Attribute for filters, as name=value; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<String>,
    /// Label for filters; may be repeated
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// The key within which receivers may ask for order
    #[arg(long, value_name = "KEY")]
    ordering_key: Option<String>,
    /// Not delivered after this time
    #[arg(long, value_name = "SPAN", value_parser = input::span)]
    expires_after: Option<Duration>,
    /// W3C traceparent of the trace that it belongs to
    #[arg(long, value_name = "TRACEPARENT")]
    traceparent: Option<String>,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let event = event(args)?;
    event.validate(&postrider::Limits::default()).map_err(invalid)?;
    let published = Publisher::connect(database).await?.publish(&event).await?;
    let (outcome, exit) = match published {
        Published::Inserted => ("inserted", Exit::Done),
        Published::Duplicate => ("duplicate", Exit::Done),
        Published::Conflict => ("conflict", Exit::Failed),
        Published::Disabled => ("disabled", Exit::Failed),
    };
    let document = json!({ "id": event.id(), "tenant": event.tenant(), "type": event.event_type().as_str(), "outcome": outcome });
    context.out.data(&document, || {
        pairs([("id", event.id().to_owned()), ("outcome", outcome.to_owned())])
    });
    match published {
        Published::Conflict => context
            .out
            .warn("nothing was published: this id was published before with other content"),
        Published::Disabled => context
            .out
            .warn("nothing was published: publishing is switched off (postrider switch list)"),
        Published::Inserted | Published::Duplicate => {}
    }
    Ok(exit)
}

fn event(args: &Args) -> Result<Event, Failure> {
    let event_type = EventType::parse(args.event_type.clone()).map_err(invalid)?;
    let mut event = Event::new(event_type, args.tenant.clone()).labels(args.labels.clone());
    for pair in &args.attributes {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::new(Exit::Usage, "attributes: must be written as name=value (attributes.name)")
        })?;
        event = event.attribute(name, value);
    }
    if let Some(id) = &args.id {
        event = event.id(id.clone());
    } else if !args.key.is_empty() {
        event = event.id_from(&args.key);
    }
    if let Some(key) = &args.ordering_key {
        event = event.ordering_key(key.clone());
    }
    if let Some(age) = args.expires_after {
        event = event.expires_after(age);
    }
    if let Some(traceparent) = &args.traceparent {
        event = event.traceparent(traceparent);
    }
    Ok(event.data_text(input::text("data", "payload.size", &args.data)?))
}
