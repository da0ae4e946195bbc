//! What somebody declares of an event type: read from JSON, judged here, stored by the catalog. Next: `plan.rs`, for many at once.

mod plan;

use std::collections::HashSet;

use postrider_event::schema::{Check, Schema};
use postrider_event::{Event, EventType, InvalidEvent, Limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::input::holds_nul;

pub use plan::{Change, Said, change};

/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 2000;
/// How many declarations one file or request may hold.
pub const MAX_DECLARATIONS: usize = 1000;
/// The largest example, in bytes of JSON text.
pub const MAX_EXAMPLE_BYTES: usize = 64 * 1024;

/// A file or a request with many declarations.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    pub event_types: Vec<Named>,
}

/// A declaration that says of which type it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_check: Option<String>,
}

/// What is declared of a type. Every field has been judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    name: String,
    description: Option<String>,
    example: Option<String>,
    schema: Option<String>,
    check: Check,
}

/// One thing that is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail} ({code})", .pointer.trim_start_matches('/'))]
pub struct Refused {
    /// Where, as a JSON pointer into the declaration: `/schema/properties/id/type`.
    pub pointer: String,
    /// A stable code.
    pub code: &'static str,
    /// The rule that was broken.
    pub detail: String,
}

impl Catalog {
    /// Judges all of them.
    ///
    /// # Errors
    /// What is wrong with each; the pointers begin with its place: `/event_types/3`. Besides those of a single one: `event_types.count`,
    /// `event_type.twice`.
    pub fn judge(&self) -> Result<Vec<Declaration>, Vec<Refused>> {
        if self.event_types.len() > MAX_DECLARATIONS {
            let detail = format!("has more than {MAX_DECLARATIONS}");
            return Err(vec![refused("/event_types", "event_types.count", detail)]);
        }
        let (mut judged, mut errors, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for (index, given) in self.event_types.iter().enumerate() {
            let at = |error: Refused| Refused {
                pointer: format!("/event_types/{index}{}", error.pointer),
                ..error
            };
            if !names.insert(given.name.as_str()) {
                let detail = "is there more than once";
                errors.push(at(refused("/name", "event_type.twice", detail)));
            }
            match Declaration::judge(given) {
                Ok(declaration) => judged.push(declaration),
                Err(wrong) => errors.extend(wrong.into_iter().map(at)),
            }
        }
        if errors.is_empty() { Ok(judged) } else { Err(errors) }
    }
}

impl Declaration {
    /// Judges a declaration.
    ///
    /// # Errors
    /// All that is wrong with the first field that is not right: `event_type.*`, `description.*`, `schema.*`, `schema_check`, `example.*`, and
    /// `payload.schema` for an example that does not fit.
    pub fn judge(given: &Named) -> Result<Self, Vec<Refused>> {
        let name = EventType::parse(given.name.as_str())
            .map_err(|error| vec![refused("/name", error.code, error.detail)])?;
        let description = description(given.description.as_deref()).map_err(|error| vec![error])?;
        let (schema, compiled) = schema(given.schema.as_deref()).map_err(|error| vec![error])?;
        let check =
            check(given.schema_check.as_deref(), schema.is_some()).map_err(|error| vec![error])?;
        let example = example(given.example.as_deref(), &name, compiled.as_ref())?;
        Ok(Self { name: name.as_str().to_owned(), description, example, schema, check })
    }

    /// The type's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is, for people; never empty.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// A payload, as JSON text. It fits the schema.
    #[must_use]
    pub fn example(&self) -> Option<&str> {
        self.example.as_deref()
    }

    /// A JSON Schema that compiles.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// What becomes of payloads that do not fit. Never more than nothing where there is no schema.
    #[must_use]
    pub fn check(&self) -> Check {
        self.check
    }

    /// All of it but the name.
    #[must_use]
    pub fn said(&self) -> Said<'_> {
        Said {
            description: self.description(),
            example: self.example(),
            schema: self.schema(),
            check: self.check.as_str(),
        }
    }
}

fn description(given: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(text) = given.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_DESCRIPTION || text.contains('\0') {
        let detail = format!("must be at most {MAX_DESCRIPTION} characters, without NUL");
        return Err(refused("/description", "description.length", detail));
    }
    Ok(Some(text.to_owned()))
}

fn schema(given: Option<&RawValue>) -> Result<(Option<String>, Option<Schema>), Refused> {
    let Some(text) = given.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok((None, None));
    };
    let compiled = Schema::compile(text)
        .map_err(|error| refused(&format!("/schema{}", error.pointer), error.code, error.detail))?;
    refuse_nul("/schema", "schema.nul", text)?;
    Ok((Some(text.to_owned()), Some(compiled)))
}

fn check(given: Option<&str>, has_schema: bool) -> Result<Check, Refused> {
    let check = given.map_or(Some(Check::Off), Check::parse);
    let Some(check) = check else {
        return Err(refused("/schema_check", "schema_check", "must be off, report or enforce"));
    };
    if check != Check::Off && !has_schema {
        let detail = "there is no schema to check against";
        return Err(refused("/schema_check", "schema_check", detail));
    }
    Ok(check)
}

fn example(
    given: Option<&RawValue>,
    name: &EventType,
    schema: Option<&Schema>,
) -> Result<Option<String>, Vec<Refused>> {
    let Some(text) = given.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(None);
    };
    if text.len() > MAX_EXAMPLE_BYTES {
        let detail = format!("has {} bytes, the limit is {MAX_EXAMPLE_BYTES}", text.len());
        return Err(vec![refused("/example", "example.size", detail)]);
    }
    // What could not be published is no example.
    let event = Event::new(name.clone(), "default").data_text(text);
    event
        .validate(&Limits::default())
        .map_err(|InvalidEvent { code, detail, .. }| vec![refused("/example", code, detail)])?;
    refuse_nul("/example", "example.nul", text).map_err(|error| vec![error])?;
    let faults = schema.map(|schema| schema.faults(text)).unwrap_or_default();
    if faults.is_empty() {
        return Ok(Some(text.to_owned()));
    }
    let told = |fault: &postrider_event::schema::Fault| {
        let pointer = format!("/example{}", fault.pointer);
        refused(&pointer, postrider_event::schema::CODE, fault.detail.as_str())
    };
    Err(faults.iter().map(told).collect())
}

/// What changes is written down as `jsonb`, which holds none.
fn refuse_nul(pointer: &str, code: &'static str, text: &str) -> Result<(), Refused> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| refused(pointer, code, format!("cannot be read: {error}")))?;
    match holds_nul(&value) {
        true => Err(refused(pointer, code, "holds a NUL character")),
        false => Ok(()),
    }
}

fn refused(pointer: &str, code: &'static str, detail: impl Into<String>) -> Refused {
    Refused { pointer: pointer.to_owned(), code, detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Result<Declaration, Vec<Refused>> {
        Declaration::judge(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_declaration_keeps_its_texts_as_they_were_given() {
        let text = r#"{"name":"a.b","description":" x ","example":{"n" : 1.0},"schema":{ "type":"object" },"schema_check":"enforce"}"#;
        let declared = judged(text).unwrap();
        assert_eq!(declared.example(), Some(r#"{"n" : 1.0}"#));
        assert_eq!(declared.schema(), Some(r#"{ "type":"object" }"#));
        assert_eq!((declared.description(), declared.check()), (Some("x"), Check::Enforce));
        let bare = judged(r#"{"name":"a","description":"","example":null,"schema":null}"#).unwrap();
        assert_eq!((bare.description(), bare.example(), bare.schema()), (None, None, None));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, code, pointer) in [
            (r#"{"name":"a..b"}"#, "event_type.syntax", "/name"),
            (r#"{"name":"a","schema":{"type":"x"}}"#, "schema.invalid", "/schema/type"),
            (
                r#"{"name":"a","schema":{"$ref":"http://x.example/"}}"#,
                "schema.reference",
                "/schema/$ref",
            ),
            (r#"{"name":"a","schema":{"const":"\u0000"}}"#, "schema.nul", "/schema"),
            (r#"{"name":"a","schema_check":"enforce"}"#, "schema_check", "/schema_check"),
            (r#"{"name":"a","schema":{},"schema_check":"on"}"#, "schema_check", "/schema_check"),
            (r#"{"name":"a","example":"\u0000"}"#, "example.nul", "/example"),
            (r#"{"name":"a","example":1e999}"#, "example.nul", "/example"),
            (
                r#"{"name":"a","schema":{"required":["id"]},"example":{}}"#,
                "payload.schema",
                "/example/id",
            ),
        ] {
            let errors = judged(text).unwrap_err();
            assert_eq!((errors[0].code, &*errors[0].pointer), (code, pointer), "{text}");
        }
        let long = format!(r#"{{"name":"a","description":"{}"}}"#, "x".repeat(2001));
        assert_eq!(judged(&long).unwrap_err()[0].code, "description.length");
        let large = format!(r#"{{"name":"a","example":"{}"}}"#, "x".repeat(MAX_EXAMPLE_BYTES));
        assert_eq!(judged(&large).unwrap_err()[0].code, "example.size");
    }

    #[test]
    fn of_many_each_is_judged_and_none_is_there_twice() {
        let catalog = |text: &str| serde_json::from_str::<Catalog>(text).unwrap().judge();
        let fine = catalog(r#"{"event_types":[{"name":"a"},{"name":"b"}]}"#).unwrap();
        assert_eq!(fine.len(), 2);
        let wrong = r#"{"event_types":[{"name":"a"},{"name":"a"},{"name":"b","schema":{"type":1}},{"name":"*"}]}"#;
        let errors = catalog(wrong).unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| (&*e.pointer, e.code)).collect();
        let expected = [
            ("/event_types/1/name", "event_type.twice"),
            ("/event_types/2/schema/type", "schema.invalid"),
            ("/event_types/3/name", "event_type.syntax"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<Named>(r#"{"name":"a","schemas":{}}"#).is_err());
    }
}
