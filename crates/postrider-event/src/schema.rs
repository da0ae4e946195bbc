//! JSON Schemas of payloads: compiled when they are saved, and asked when an event is published. Reads nothing but what it is given: a
//! reference to another document is refused. Next: `words.rs` says what is wrong, `cache.rs` keeps what was compiled.
//!
//! With the feature `schema` alone, for the library behind it is larger than all of this crate.

mod cache;
mod words;

use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;

use crate::{InvalidEvent, MAX_DATA_DEPTH};

pub use cache::{Known, SchemaCache};

/// The largest schema, in bytes of JSON text.
pub const MAX_SCHEMA_BYTES: usize = 128 * 1024;
/// How many faults of one payload are named.
pub const MAX_FAULTS: usize = 20;
/// The code of every fault.
pub const CODE: &str = "payload.schema";
/// What one pattern may take in memory once it is compiled.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// What becomes of an event whose payload does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Nobody looks.
    Off,
    /// It is published, and the log says so.
    Report,
    /// It is refused.
    Enforce,
}

impl Check {
    /// The word that the catalog stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Report => "report",
            Self::Enforce => "enforce",
        }
    }

    /// Reads the word that the catalog stores.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Report, Self::Enforce].into_iter().find(|check| check.as_str() == word)
    }
}

/// One thing that is wrong with a payload. Never holds a value of the payload, only where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer into the payload: `/user/id`. What is missing is named as if it were there.
    pub pointer: String,
    /// What the schema demands, for people.
    pub detail: String,
}

/// Why a text is no schema that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SchemaError {
    /// A stable code: `schema.syntax`, `schema.size`, `schema.depth`, `schema.reference`, `schema.invalid`.
    pub code: &'static str,
    /// Where, as a JSON pointer into the schema; empty where that is not known.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl SchemaError {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, pointer: String::new(), detail: detail.into() }
    }
}

/// A compiled JSON Schema. Its `$schema` says which draft it is of; without one it is of 2020-12.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// Patterns are of the kind that takes linear time: without look-around and back-references, so that no payload can hold up a
    /// publisher's transaction.
    ///
    /// # Errors
    /// When it is no valid schema, is too large or too deep, or refers to another document.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_SCHEMA_BYTES {
            let detail = format!("has {} bytes, the limit is {MAX_SCHEMA_BYTES}", text.len());
            return Err(SchemaError::new("schema.size", detail));
        }
        let schema: Value = serde_json::from_str(text).map_err(|error| {
            SchemaError::new("schema.syntax", format!("is not valid JSON: {error}"))
        })?;
        if !matches!(schema, Value::Object(_) | Value::Bool(_)) {
            return Err(SchemaError::new("schema.syntax", "must be a JSON object"));
        }
        refuse_depth(&schema, MAX_DATA_DEPTH)?;
        let patterns =
            PatternOptions::regex().size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES);
        let built = jsonschema::options()
            .with_retriever(Nowhere)
            .with_pattern_options(patterns)
            .build(&schema);
        built.map(|validator| Self { validator }).map_err(|error| words::refused(&schema, &error))
    }

    /// What is wrong with a payload, at most [`MAX_FAULTS`]; empty: it fits.
    #[must_use]
    pub fn faults(&self, data: &str) -> Vec<Fault> {
        match serde_json::from_str(data) {
            Ok(data) => {
                let errors = self.validator.iter_errors(&data);
                errors.flat_map(|error| words::faults(&error)).take(MAX_FAULTS).collect()
            }
            // JSON has numbers that no check can read.
            Err(error) => {
                let detail =
                    format!("cannot be read, at line {} column {}", error.line(), error.column());
                vec![Fault { pointer: String::new(), detail }]
            }
        }
    }
}

/// The first fault as the error of an event, with how many there are besides: `data/user/id: is required (payload.schema)`.
#[must_use]
pub fn invalid(faults: &[Fault]) -> Option<InvalidEvent> {
    let (first, others) = faults.split_first()?;
    let more = match others.len() {
        0 => String::new(),
        1 => "; and 1 more".to_owned(),
        more => format!("; and {more} more"),
    };
    let field = format!("data{}", first.pointer);
    Some(InvalidEvent::new(field, CODE, format!("{}{more}", first.detail)))
}

/// Finds no document.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is another document").into())
    }
}

fn refuse_depth(value: &Value, left: usize) -> Result<(), SchemaError> {
    let Some(left) = left.checked_sub(1) else {
        let detail = format!("is nested deeper than {MAX_DATA_DEPTH}");
        return Err(SchemaError::new("schema.depth", detail));
    };
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| refuse_depth(item, left)),
        Value::Object(members) => members.values().try_for_each(|item| refuse_depth(item, left)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
