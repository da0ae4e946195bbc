//! The rules an event must keep, checked before any SQL, so that a bad event cannot abort the caller's transaction.
//! They are the rules of `postrider.publish_v1`, and two it cannot check: depth, and NUL characters.

use std::time::Duration;

use serde::de::IgnoredAny;

use crate::{AttributeValue, Event, InvalidEvent};

/// The deepest nesting of a payload.
pub const MAX_DATA_DEPTH: usize = 64;
const MAX_ATTRIBUTES: usize = 50;
const MAX_ATTRIBUTE_NAME: usize = 64;
/// As JSON, that is with escapes and the quotation marks.
const MAX_ATTRIBUTE_JSON: usize = 1026;
const MAX_LABELS: usize = 50;
const MAX_LABEL: usize = 256;
const MAX_ORDERING_KEY: usize = 256;
/// Ten years. Far beyond any retention, and far from where adding it to a timestamp overflows.
const MAX_EXPIRES_AFTER: Duration = Duration::from_secs(3650 * 24 * 3600);
const NUL: &str = "must not hold a NUL character";

/// What an installation allows, where it has a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Between 1 KiB and 1 MiB.
    data_bytes: usize,
}

impl Limits {
    /// The defaults, with another limit for the payload. Raise the installation's setting too: the database has the
    /// last word. `None` unless it lies between 1 KiB and 1 MiB.
    #[must_use]
    pub const fn with_data_bytes(data_bytes: usize) -> Option<Self> {
        if 1024 <= data_bytes && data_bytes <= 1_048_576 { Some(Self { data_bytes }) } else { None }
    }

    /// The largest payload, in bytes of JSON text.
    #[must_use]
    pub const fn data_bytes(self) -> usize {
        self.data_bytes
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { data_bytes: 262_144 }
    }
}

impl Event {
    /// Checks everything that can be checked without the database.
    ///
    /// # Errors
    /// The first rule broken: `key.syntax`, `tenant.syntax`, `id.syntax`, `payload.size|bom|depth|syntax`,
    /// `attributes.count|name|value`, `labels.count|length|syntax`, `ordering_key.length|syntax`,
    /// `expires_after.range`.
    pub fn validate(&self, limits: &Limits) -> Result<(), InvalidEvent> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        check_tenant(&self.tenant)?;
        crate::id::check(&self.id)?;
        check_data(&self.data, *limits)?;
        check_attributes(self)?;
        check_labels(&self.labels)?;
        check_ordering_key(self.ordering_key())?;
        check_expiry(self.expires_after)
    }
}

fn check_tenant(tenant: &str) -> Result<(), InvalidEvent> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    if (1..=128).contains(&tenant.len()) && tenant.bytes().all(allowed) {
        Ok(())
    } else {
        Err(InvalidEvent::new("tenant", "tenant.syntax", "must be 1 to 128 of A-Z a-z 0-9 . _ : -"))
    }
}

/// Cheap tests first; depth before syntax, so that no parser ever meets ten thousand brackets.
fn check_data(data: &str, limits: Limits) -> Result<(), InvalidEvent> {
    let invalid = |code, detail: String| Err(InvalidEvent::new("data", code, detail));
    if data.len() > limits.data_bytes {
        return invalid(
            "payload.size",
            format!("{} bytes, the limit is {}", data.len(), limits.data_bytes),
        );
    }
    if data.starts_with('\u{feff}') {
        return invalid("payload.bom", "starts with a byte order mark".to_owned());
    }
    if depth(data) > MAX_DATA_DEPTH {
        return invalid("payload.depth", format!("nested deeper than {MAX_DATA_DEPTH}"));
    }
    match serde_json::from_str::<IgnoredAny>(data) {
        Ok(IgnoredAny) => Ok(()),
        Err(error) => {
            let place = format!("line {} column {}", error.line(), error.column());
            invalid("payload.syntax", format!("not valid JSON, at {place}"))
        }
    }
}

/// How deep the brackets go. On a text that is no JSON the answer is some number; the parser then refuses the text.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn check_attributes(event: &Event) -> Result<(), InvalidEvent> {
    let invalid = |code, detail: &str| Err(InvalidEvent::new("attributes", code, detail));
    if event.attributes.len() > MAX_ATTRIBUTES {
        return invalid("attributes.count", "more than 50");
    }
    for (name, value) in &event.attributes {
        if !(1..=MAX_ATTRIBUTE_NAME).contains(&name.chars().count()) {
            return invalid("attributes.name", "names must have 1 to 64 characters");
        }
        if name.contains('\0') {
            return invalid("attributes.name", NUL);
        }
        match value {
            AttributeValue::Text(text) if text.contains('\0') => {
                return invalid("attributes.value", NUL);
            }
            AttributeValue::Float(number) if !number.is_finite() => {
                return invalid("attributes.value", "a number must be finite");
            }
            _ => {}
        }
        let mut json = String::new();
        value.write_json(&mut json);
        if json.len() > MAX_ATTRIBUTE_JSON {
            return invalid("attributes.value", "values must be scalars of at most 1024 bytes");
        }
    }
    Ok(())
}

fn check_labels(labels: &[String]) -> Result<(), InvalidEvent> {
    if labels.len() > MAX_LABELS {
        return Err(InvalidEvent::new("labels", "labels.count", "more than 50"));
    }
    for label in labels {
        if !(1..=MAX_LABEL).contains(&label.len()) {
            return Err(InvalidEvent::new(
                "labels",
                "labels.length",
                "must have 1 to 256 bytes each",
            ));
        }
        if label.contains('\0') {
            return Err(InvalidEvent::new("labels", "labels.syntax", NUL));
        }
    }
    Ok(())
}

fn check_ordering_key(key: Option<&str>) -> Result<(), InvalidEvent> {
    match key {
        Some(key) if !(1..=MAX_ORDERING_KEY).contains(&key.len()) => Err(InvalidEvent::new(
            "ordering_key",
            "ordering_key.length",
            "must have 1 to 256 bytes",
        )),
        Some(key) if key.contains('\0') => {
            Err(InvalidEvent::new("ordering_key", "ordering_key.syntax", NUL))
        }
        _ => Ok(()),
    }
}

fn check_expiry(age: Option<Duration>) -> Result<(), InvalidEvent> {
    match age {
        Some(age) if age < Duration::from_micros(1) => {
            Err(InvalidEvent::new("expires_after", "expires_after.range", "must be positive"))
        }
        Some(age) if age > MAX_EXPIRES_AFTER => Err(InvalidEvent::new(
            "expires_after",
            "expires_after.range",
            "must be at most ten years",
        )),
        _ => Ok(()),
    }
}

/// `version-trace-parent-flags` in lower-case hex; version `ff` and all-zero ids are invalid by the standard.
pub(crate) fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [version, trace, parent, flags] => {
            [version.len(), trace.len(), parent.len(), flags.len()] == [2, 32, 16, 2]
                && parts.iter().all(|part| hex(part))
                && version != "ff"
                && !zero(trace)
                && !zero(parent)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
