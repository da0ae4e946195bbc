//! `POST /events`: publishing for those who cannot reach the database. By the same function as every other way in, in a transaction of its own.

use axum::response::{IntoResponse, Json, Response};
use http::StatusCode;
use postrider_core::api_key::Scope;
use postrider_event::{DEFAULT_TENANT, Event, EventType, Limits};
use postrider_store::admin::events::{self, Outcome};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::body::Body;
use super::caller::Caller;
use super::params::Params;
use super::problem::Problem;

/// An event as it is sent to us.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    r#type: String,
    /// An admin's; a tenant's key publishes for its tenant.
    tenant_id: Option<String>,
    /// Kept byte for byte.
    data: Box<RawValue>,
    id: Option<String>,
    /// The parts of a natural key, of which the id is made.
    key: Option<Vec<String>>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    labels: Vec<String>,
    ordering_key: Option<String>,
    /// In seconds.
    expires_after: Option<u32>,
    traceparent: Option<String>,
}

pub(super) async fn publish(
    caller: Caller,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    caller.need(Scope::Publish)?;
    params.end()?;
    let new: NewEvent = parse(&body)?;
    let tenant = caller.tenant_of(new.tenant_id.as_deref())?.unwrap_or(DEFAULT_TENANT).to_owned();
    let event = event(new, tenant)?;
    event.validate(&Limits::default())?;
    let outcome = events::publish(&caller.publishing, &event).await?;
    let (status, word) = match outcome {
        Outcome::Inserted => (StatusCode::CREATED, "inserted"),
        Outcome::Duplicate => (StatusCode::OK, "duplicate"),
        Outcome::Conflict => {
            let detail = "this id was published before with other content; nothing was published";
            return Err(Problem::conflict("event.conflict", detail));
        }
        Outcome::Disabled => {
            let detail = "publishing is switched off";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "publish.disabled", detail));
        }
        Outcome::Refused { field, code, detail } => {
            return Err(Problem::field(
                format!("/{field}"),
                "event",
                &format!("{detail} ({code})"),
            ));
        }
    };
    let answer = json!({
        "id": event.id(), "tenant_id": event.tenant(), "type": event.event_type().as_str(), "outcome": word,
    });
    Ok((status, Json(answer)).into_response())
}

fn event(new: NewEvent, tenant: String) -> Result<Event, Problem> {
    let mut event = Event::new(EventType::parse(new.r#type)?, tenant).labels(new.labels);
    for (name, value) in new.attributes {
        event = match value {
            Value::String(text) => event.attribute(name, text),
            Value::Bool(value) => event.attribute(name, value),
            Value::Number(number) if number.is_i64() => {
                event.attribute(name, number.as_i64().unwrap_or_default())
            }
            Value::Number(number) => event.attribute(name, number.as_f64().unwrap_or_default()),
            Value::Array(_) | Value::Object(_) | Value::Null => {
                return Err(Problem::field(
                    format!("/attributes/{name}"),
                    "attributes.value",
                    "must be a string, a number or a boolean",
                ));
            }
        };
    }
    event = match (new.id, new.key) {
        (Some(_), Some(_)) => {
            return Err(Problem::field("/key", "id.twice", "give an id or the key it is made of"));
        }
        (Some(id), None) => event.id(id),
        (None, Some(key)) => event.id_from(key),
        (None, None) => event,
    };
    if let Some(key) = new.ordering_key {
        event = event.ordering_key(key);
    }
    if let Some(seconds) = new.expires_after {
        event = event.expires_after(Duration::from_secs(seconds.into()));
    }
    if let Some(traceparent) = new.traceparent {
        event = event.traceparent(traceparent);
    }
    Ok(event.data_text(new.data.get()))
}

/// A body as JSON of a known shape. The pointer of an error names where it is.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string().replace(['.', '['], "/").replace(']', "");
        // Before its first key a text has no path but these.
        let pointer = if matches!(&*path, "/" | "?") { String::new() } else { format!("/{path}") };
        Problem::field(pointer, "json", &error.into_inner().to_string())
    })?;
    reader.end().map_err(|error| Problem::field("", "json", &error.to_string()))?;
    Ok(read)
}
