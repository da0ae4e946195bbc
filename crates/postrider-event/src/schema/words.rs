//! What is wrong with a payload or a schema, in words that hold no value of the payload.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::{Fault, SchemaError};

/// Bytes of a pointer or of a detail that are kept: both may hold names that somebody made long.
const MOST: usize = 300;

/// What one error says; what is not allowed has a fault for each member.
pub(super) fn faults(error: &ValidationError<'_>) -> Vec<Fault> {
    let at = error.instance_path().to_string();
    let member = |name: &str| format!("{at}/{}", escaped(name));
    match error.kind() {
        Kind::Required { property: Value::String(name) } => {
            vec![fault(&member(name), "is required")]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected.iter().map(|name| fault(&member(name), "is not in the schema")).collect()
        }
        kind => vec![fault(&at, &demand(kind))],
    }
}

/// What the schema demands.
fn demand(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind: TypeKind::Single(of_type) } => format!("must be of type {of_type}"),
        Kind::Type { kind: TypeKind::Multiple(types) } => {
            let types: Vec<String> = types.iter().map(|of_type| of_type.to_string()).collect();
            format!("must be of type {}", types.join(" or "))
        }
        Kind::Enum { options } => format!("must be one of {options}"),
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Format { format } => format!("must be of the format {format}"),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("must have at least {limit} members"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} members"),
        Kind::UniqueItems => "must not hold the same item twice".to_owned(),
        Kind::AdditionalItems { .. } | Kind::UnevaluatedItems { .. } => {
            "has items that are not in the schema".to_owned()
        }
        Kind::Contains => "must hold an item that the schema asks for".to_owned(),
        Kind::PropertyNames { .. } => "has a member whose name the schema forbids".to_owned(),
        Kind::AnyOf { .. } => "must fit one of the schemas under anyOf".to_owned(),
        Kind::OneOfNotValid { .. } => "must fit one of the schemas under oneOf".to_owned(),
        Kind::OneOfMultipleValid { .. } => {
            "must fit only one of the schemas under oneOf".to_owned()
        }
        Kind::Not { .. } => "must not fit the schema under not".to_owned(),
        Kind::FalseSchema => "is not in the schema".to_owned(),
        other => format!("does not fit the schema ({})", other.keyword()),
    }
}

/// Why a schema was not compiled.
pub(super) fn refused(schema: &Value, error: &ValidationError<'_>) -> SchemaError {
    match error.kind() {
        Kind::Referencing(cause) => SchemaError {
            code: "schema.reference",
            pointer: reference(schema, &cause.to_string(), "").unwrap_or_default(),
            detail: clipped(&format!(
                "refers to what is not in it ({cause}); other documents are never read, so put what it needs under $defs"
            )),
        },
        _ => SchemaError {
            code: "schema.invalid",
            pointer: error.instance_path().to_string(),
            detail: clipped(&format!("is no valid JSON Schema: {error}")),
        },
    }
}

/// Where the reference stands whose target the message names.
fn reference(value: &Value, message: &str, at: &str) -> Option<String> {
    let named = |name: &str, target: &str| {
        let target = target.trim_start_matches('#');
        matches!(name, "$ref" | "$dynamicRef" | "$recursiveRef" | "$schema")
            && !target.is_empty()
            && message.contains(target)
    };
    match value {
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let at = format!("{at}/{}", escaped(name));
            match member {
                Value::String(target) => named(name, target).then_some(at),
                _ => reference(member, message, &at),
            }
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| reference(item, message, &format!("{at}/{index}"))),
        _ => None,
    }
}

fn fault(pointer: &str, detail: &str) -> Fault {
    Fault { pointer: clipped(pointer), detail: clipped(detail) }
}

/// A name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn clipped(text: &str) -> String {
    match text.char_indices().find(|(at, _)| *at >= MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
