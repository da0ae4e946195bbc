//! The one shape of a refused input: which field, a stable code, and a sentence for a person.
//!
//! Made by the parsers of this crate, shown by the command line and the API. The codes are part of the API and never change
//! their meaning.

use serde_json::Value;

/// A value that somebody gave us and that cannot be accepted. Never holds a secret, nor any header's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail} ({code})")]
pub struct InputError {
    /// The field as the caller knows it, such as `url` or `headers.x-team`.
    pub field: String,
    /// The stable code, such as `url.port`.
    pub code: &'static str,
    /// What is wrong and, where there is one, the remedy. Lower case, no full stop.
    pub detail: String,
}

impl InputError {
    /// Names field, code and detail.
    pub fn new(field: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}

/// A tenant's name: the rule of the database, said before it is asked. Code: `tenant.syntax`.
///
/// # Errors
/// When it is none.
pub fn check_tenant(tenant: &str) -> Result<(), InputError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if (1..=128).contains(&tenant.len()) && tenant.bytes().all(allowed) {
        return Ok(());
    }
    Err(InputError::new("tenant", "tenant.syntax", "must be 1 to 128 of A-Z a-z 0-9 . _ : -"))
}

/// Whether a NUL character is anywhere in it: PostgreSQL can hold none.
#[must_use]
pub fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => {
            members.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The text of a JSON field that must be there. Codes: `required` if absent or null, `type` if not a string.
pub fn required_text<'a>(field: &str, value: Option<&'a Value>) -> Result<&'a str, InputError> {
    match value {
        None | Some(Value::Null) => Err(InputError::new(field, "required", "is required")),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(InputError::new(field, "type", "must be a string")),
    }
}

/// Text from outside made fit for a message: escaped, one line, at most 64 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_field_detail_and_code() {
        let error = InputError::new("url", "url.port", "the port must be 1 to 65535");
        assert_eq!(error.to_string(), "url: the port must be 1 to 65535 (url.port)");
    }

    #[test]
    fn absent_and_mistyped_text_have_their_codes() {
        let json = serde_json::json!({ "a": null, "b": 1, "c": "x" });
        assert_eq!(required_text("a", json.get("a")).unwrap_err().code, "required");
        assert_eq!(required_text("z", json.get("z")).unwrap_err().code, "required");
        assert_eq!(required_text("b", json.get("b")).unwrap_err().code, "type");
        assert_eq!(required_text("c", json.get("c")), Ok("x"));
    }

    #[test]
    fn shown_text_is_one_short_line() {
        assert_eq!(shown("a\r\nb\u{1b}[31m"), "a\\r\\nb\\u{1b}[31m");
        assert!(shown(&"x".repeat(1000)).chars().count() <= 65);
    }
}
