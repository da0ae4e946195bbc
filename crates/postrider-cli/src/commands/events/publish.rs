//! `postrider events publish`: one event through the same library that services use.

use std::time::Duration;

use postrider::{
    CommitError, DEFAULT_TENANT, DriverError, Event, EventType, PublishError, Published,
    checked_commit, publish_tx,
};
use postrider_store::StoreError;
use serde_json::json;

use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure, with_causes};
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
    let published = publish(database, &event).await?;
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

async fn publish(database: &Database, event: &Event) -> Result<Published, Failure> {
    let mut client = database.connect.client().await?;
    let begin = client
        .transaction()
        .await
        .map_err(|error| refused(StoreError::driver("beginning", error)))?;
    let published = publish_tx(&begin, event).await.map_err(publish_failure)?;
    checked_commit(begin).await.map_err(commit_failure)?;
    Ok(published)
}

fn invalid(error: postrider::InvalidEvent) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
}

fn publish_failure(error: PublishError) -> Failure {
    match error {
        PublishError::Invalid(error) => invalid(error),
        PublishError::Database { sqlstate: Some(state), source, .. } if state.code() == "22023" => {
            // The database's own check of an event: as much the caller's mistake as those made before any SQL.
            let message = source.message().unwrap_or_default();
            Failure::new(Exit::Usage, message.trim_start_matches("postrider: ").to_owned())
        }
        PublishError::Database { source: DriverError::TokioPostgres(source), .. } => {
            refused(StoreError::driver("publishing", source))
        }
        other => Failure::new(Exit::Failed, "nothing was published").why(with_causes(&other)),
    }
}

fn commit_failure(error: CommitError) -> Failure {
    Failure::new(Exit::Failed, "the transaction did not commit; nothing was published")
        .why(with_causes(&error))
}

fn refused(error: StoreError) -> Failure {
    Failure::from(error).doing("nothing was published")
}
