//! `POST /events`: publishing for those who cannot reach the database. By the same function as every other way in, in a transaction of its own.

use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use http::{Method, StatusCode};
use postrider_core::api_key::Scope;
use postrider_event::schema::{self, Check, Fault};
use postrider_event::{Event, EventType, Limits};
use postrider_store::admin::events::{self, Outcome};
use postrider_store::event_types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::warn;

use super::Api;
use super::body::{Body, parse};
use super::caller::Caller;
use super::operation::Operation;
use super::params::Params;
use super::problem::{FieldError, Problem};
use super::shapes::{AnyValue, EventIdText, EventTypeText, TenantText};

pub(super) fn operations() -> Vec<Operation> {
    let publish =
        Operation::new((Method::POST, "/events"), "publish_event", "Publishes an event", publish);
    vec![
        publish
            .needs(Scope::Publish)
            .takes::<NewEvent>()
            .gives::<Published>(201, "It is published")
            .gives::<Published>(200, "It was published before, with the same content"),
    ]
}

/// An event as it is sent to us.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    #[schemars(with = "EventTypeText", length(max = 128))]
    r#type: String,
    /// An admin's to say; a tenant's key publishes for its tenant.
    #[schemars(with = "Option<TenantText>")]
    tenant_id: Option<String>,
    /// Kept byte for byte.
    #[schemars(with = "AnyValue")]
    data: Box<RawValue>,
    #[schemars(with = "Option<EventIdText>")]
    id: Option<String>,
    /// The parts of a natural key, of which the id is made.
    #[schemars(length(min = 1))]
    key: Option<Vec<String>>,
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Scalar>", extend("maxProperties" = 50, "propertyNames" = { "minLength": 1, "maxLength": 64 }))]
    attributes: Map<String, Value>,
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 1, max = 64)))]
    labels: Vec<String>,
    #[schemars(length(min = 1, max = 64))]
    ordering_key: Option<String>,
    /// In seconds.
    #[schemars(range(min = 1, max = 315_360_000))]
    expires_after: Option<u32>,
    /// As W3C Trace Context has it; another is dropped.
    traceparent: Option<String>,
}

/// What an attribute may be.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "a schema, never a value")]
enum Scalar {
    Text(#[schemars(length(max = 256))] String),
    Number(f64),
    Flag(bool),
}

/// What came of publishing.
#[derive(Debug, Serialize, JsonSchema)]
struct Published {
    id: String,
    tenant_id: String,
    r#type: String,
    /// inserted or duplicate.
    #[schemars(with = "String")]
    outcome: &'static str,
}

async fn publish(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    let new: NewEvent = parse(&body)?;
    let tenant = caller.tenant_for(new.tenant_id.as_deref())?.to_owned();
    let event = event(new, tenant)?;
    event.validate(&Limits::default())?;
    check_schema(&api, &caller, &event).await?;
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
    let answer = Published {
        id: event.id().to_owned(),
        tenant_id: event.tenant().to_owned(),
        r#type: event.event_type().as_str().to_owned(),
        outcome: word,
    };
    Ok((status, Json(answer)).into_response())
}

/// Holds the payload to the schema that the catalog has for its type.
async fn check_schema(api: &Api, caller: &Caller, event: &Event) -> Result<(), Problem> {
    let event_type = event.event_type().as_str();
    let rule = event_types::schema(&caller.publishing, api.schemas(), event_type).await?;
    let Some((check, known)) = rule else { return Ok(()) };
    let faults = match &known.schema {
        Ok(schema) => schema.faults(event.data()),
        Err(error) => {
            let detail = format!("cannot be checked: the schema of its type {error}");
            vec![Fault { pointer: String::new(), detail }]
        }
    };
    let Some(first) = faults.first() else { return Ok(()) };
    if check != Check::Enforce {
        let pointer = format!("data{}", first.pointer);
        warn!(
            event.type = event_type,
            event.id = event.id(),
            pointer,
            faults = faults.len(),
            "event {} was published though it does not fit its schema at {pointer}",
            event.id()
        );
        return Ok(());
    }
    let errors = faults.into_iter().map(|fault| FieldError {
        pointer: format!("/data{}", fault.pointer),
        code: schema::CODE,
        detail: fault.detail,
    });
    Err(Problem::fields(StatusCode::UNPROCESSABLE_ENTITY, errors.collect()))
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
