//! What is said of event types over HTTP, in both directions.

use http::StatusCode;
use jiff::Timestamp;
use postrider_core::event_type::Named;
use postrider_store::admin::event_types::EventTypeInfo;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::problem::Problem;
use super::shapes::{AnyValue, ChangeWord, EventTypeText, SchemaCheckWord};

/// What is to be said of a type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEventType {
    #[schemars(length(max = 2000))]
    pub(super) description: Option<String>,
    /// A payload, kept as it is given; it must fit the schema.
    #[schemars(with = "AnyValue", default)]
    pub(super) example: Option<Box<RawValue>>,
    /// A JSON Schema of the payload that stands alone: it refers to no other document.
    #[schemars(with = "AnyValue", default)]
    pub(super) schema: Option<Box<RawValue>>,
    /// What becomes of payloads that do not fit; off if nothing is said.
    #[schemars(with = "Option<SchemaCheckWord>")]
    pub(super) schema_check: Option<String>,
}

/// Many types.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EventTypeImport")]
pub(super) struct Import {
    #[schemars(length(max = 1000))]
    pub(super) event_types: Vec<Item>,
}

/// One of many types.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EventTypeImportItem")]
pub(super) struct Item {
    #[schemars(with = "EventTypeText", length(max = 128))]
    pub(super) name: String,
    #[schemars(length(max = 2000))]
    pub(super) description: Option<String>,
    #[schemars(with = "AnyValue", default)]
    pub(super) example: Option<Box<RawValue>>,
    #[schemars(with = "AnyValue", default)]
    pub(super) schema: Option<Box<RawValue>>,
    #[schemars(with = "Option<SchemaCheckWord>")]
    pub(super) schema_check: Option<String>,
}

/// A type in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventTypeSummary")]
pub(super) struct Summary {
    #[schemars(with = "EventTypeText")]
    pub(super) name: String,
    pub(super) description: Option<String>,
    #[schemars(with = "SchemaCheckWord")]
    pub(super) schema_check: String,
    /// False: nobody declared it, but an event of it was published.
    pub(super) declared: bool,
    pub(super) has_schema: bool,
    pub(super) has_example: bool,
    /// Another with every change of the schema or of its check.
    pub(super) version: i64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A type.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventType")]
pub(super) struct EventTypeDocument {
    #[serde(flatten)]
    pub(super) summary: Summary,
    /// As it was given, or null.
    #[schemars(with = "AnyValue")]
    pub(super) example: Option<Box<RawValue>>,
    /// As it was given, or null.
    #[schemars(with = "AnyValue")]
    pub(super) schema: Option<Box<RawValue>>,
}

/// What an import changed, or would.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventTypesImported")]
pub(super) struct Imported {
    pub(super) dry_run: bool,
    pub(super) added: usize,
    pub(super) changed: usize,
    pub(super) unchanged: usize,
    pub(super) data: Vec<Planned>,
}

/// What an import does about one type.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventTypePlanned")]
pub(super) struct Planned {
    #[schemars(with = "EventTypeText")]
    pub(super) name: String,
    #[schemars(with = "ChangeWord")]
    pub(super) change: &'static str,
}

/// A type that was removed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventTypeDeleted")]
pub(super) struct Deleted {
    #[schemars(with = "EventTypeText")]
    pub(super) name: String,
    pub(super) deleted: bool,
}

impl From<Item> for Named {
    fn from(item: Item) -> Self {
        let Item { name, description, example, schema, schema_check } = item;
        Self { name, description, example, schema, schema_check }
    }
}

pub(super) fn summary(info: EventTypeInfo) -> Summary {
    Summary {
        name: info.name,
        description: info.description,
        schema_check: info.check,
        declared: info.declared,
        has_schema: info.schema.is_some(),
        has_example: info.example.is_some(),
        version: info.version,
        created_at: info.created_at,
        updated_at: info.updated_at,
    }
}

pub(super) fn document(info: EventTypeInfo) -> Result<EventTypeDocument, Problem> {
    let (example, schema) = (info.example.clone(), info.schema.clone());
    let raw = |text: Option<String>| {
        text.map(RawValue::from_string).transpose().map_err(|_| {
            let detail = "what is stored is not JSON";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
        })
    };
    Ok(EventTypeDocument { summary: summary(info), example: raw(example)?, schema: raw(schema)? })
}
