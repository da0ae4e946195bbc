//! `postrider trigger`: publishes the example that the catalog has of an event type, as often and as fast as is asked.

use std::time::{Duration, Instant};

use postrider::{DEFAULT_TENANT, Event, EventType, Published};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::publishing::{Publisher, invalid};
use super::{Ended, types};
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};

/// How many ids are shown.
const MOST_IDS: usize = 100;
/// How often somebody who waits is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Options of `trigger`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event type; the catalog has its example
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Whose event
    #[arg(long, value_name = "TENANT", default_value = DEFAULT_TENANT)]
    tenant: String,
    /// Another value in the payload, such as user.id=7 or tags.0=vip; JSON, or else a text; may be repeated
    #[arg(long = "set", value_name = "PATH=VALUE")]
    changes: Vec<String>,
    /// Attribute for filters, as name=value; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<String>,
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Events a second; none: as fast as they go, one after another
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let name = EventType::parse(args.event_type.as_str()).map_err(invalid)?;
    let info = types::find(database, name.as_str()).await?;
    let example = info.example.ok_or_else(|| {
        Failure::new(Exit::Missing, format!("the catalog has no example of {name}"))
            .remedy(format!("postrider types set {name} --example @FILE"))
    })?;
    let data = changed(&example, &args.changes)?;
    let attributes = attributes(&args.attributes)?;
    let mut publisher = Publisher::connect(database).await?;
    let mut pace = args.rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        pace
    });
    let (begun, mut told) = (Instant::now(), Instant::now());
    let mut ids = Vec::new();
    for number in 0..args.count {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let mut event = Event::new(name.clone(), args.tenant.as_str());
        for (name, value) in &attributes {
            event = event.attribute(*name, *value);
        }
        let event = event.data_text(data.as_str());
        let published = publisher.publish(&event).await.map_err(|failure| match number {
            0 => failure,
            some => failure.doing(format!("{some} of {} events were published", args.count)),
        })?;
        if published == Published::Disabled {
            let what = format!("{number} of {} events were published", args.count);
            return Err(Failure::new(Exit::Failed, what)
                .why("publishing is switched off")
                .remedy("postrider switch list"));
        }
        if ids.len() < MOST_IDS {
            ids.push(event.id().to_owned());
        }
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            context.out.note(&format!("{} of {}", number + 1, args.count));
        }
    }
    let elapsed = begun.elapsed();
    let document = json!({
        "type": name.as_str(), "tenant": args.tenant, "published": args.count, "ids": ids, "elapsed_ms": elapsed.as_millis(),
    });
    context.out.data(&document, || match (args.count, ids.first()) {
        (1, Some(id)) => format!("{id} is published"),
        (count, _) => format!("{count} events are published, in {:.1} s", elapsed.as_secs_f64()),
    });
    Ok(Exit::Done)
}

fn attributes(given: &[String]) -> Result<Vec<(&str, &str)>, Failure> {
    let pairs = given.iter().map(|pair| {
        pair.split_once('=').ok_or_else(|| {
            Failure::new(Exit::Usage, "attributes: must be written as name=value (attributes.name)")
        })
    });
    pairs.collect()
}

/// The example with other values. Without any it stays as it is, byte for byte.
fn changed(example: &str, changes: &[String]) -> Result<String, Failure> {
    if changes.is_empty() {
        return Ok(example.to_owned());
    }
    let wrong = |what: String| Failure::new(Exit::Usage, what);
    let mut data: Value = serde_json::from_str(example)
        .map_err(|error| wrong(format!("example: cannot be read: {error}")))?;
    for change in changes {
        let (path, value) =
            change.split_once('=').filter(|(path, _)| !path.is_empty()).ok_or_else(|| {
                wrong(format!("set: {change:?} must be written as path=value (set.syntax)"))
            })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        put(&mut data, path, value).ok_or_else(|| {
            wrong(format!("set: there is no place {path} in the example (set.path)"))
        })?;
    }
    Ok(data.to_string())
}

/// Puts a value at a dotted path; what is missing on the way are objects. `None`: something else is in the way.
fn put(data: &mut Value, path: &str, value: Value) -> Option<()> {
    let mut at = data;
    for part in path.split('.') {
        at = match at {
            Value::Object(members) => members.entry(part).or_insert(Value::Null),
            Value::Array(items) => {
                let index: usize = part.parse().ok()?;
                if index == items.len() {
                    items.push(Value::Null);
                }
                items.get_mut(index)?
            }
            // It was made for this.
            Value::Null => {
                *at = json!({});
                at.as_object_mut()?.entry(part).or_insert(Value::Null)
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
    }
    *at = value;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_where_the_path_leads() {
        let example = r#"{"user": {"id": 1}, "tags": ["a"]}"#;
        assert_eq!(changed(example, &[]).unwrap(), example);
        let set = |changes: &[&str]| {
            let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
            changed(example, &changes).map(|text| serde_json::from_str::<Value>(&text).unwrap())
        };
        for (changes, expected) in [
            (&["user.id=7"][..], json!({ "user": { "id": 7 }, "tags": ["a"] })),
            (
                &["user.id=x7", "a.b.c=true"],
                json!({ "user": { "id": "x7" }, "tags": ["a"], "a": { "b": { "c": true } } }),
            ),
            (&["tags.0=b", "tags.1=[1]"], json!({ "user": { "id": 1 }, "tags": ["b", [1]] })),
            (&["user={}", "tags=", "x=a=b"], json!({ "user": {}, "tags": "", "x": "a=b" })),
        ] {
            assert_eq!(set(changes).ok().unwrap(), expected, "{changes:?}");
        }
        for wrong in ["user.id.x=1", "tags.5=1", "tags.x=1", "novalue", "=1"] {
            assert!(set(&[wrong]).is_err(), "{wrong}");
        }
    }
}
