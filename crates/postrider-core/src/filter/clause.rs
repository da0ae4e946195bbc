//! The conditions of a filter: reading them from JSON, and asking them about an event.
//!
//! [`Clause`] is made to grow: each operator of the pattern language becomes a member, compiled here and asked here.

use serde_json::{Map, Value};

use super::any_of::AnyOf;
use super::prepared::Prepared;
use super::{FilterError, MAX_DEPTH, MAX_TEXT_BYTES, MAX_VALUES, Scalar};

/// One condition. It holds or it does not; a value that the event lacks never satisfies it.
#[derive(Clone, Debug)]
pub(super) enum Clause {
    /// The attribute has one of these values.
    AttributeIsAnyOf { name: Box<str>, values: AnyOf<Scalar> },
    /// The event carries at least one of these labels.
    AnyLabelOf { labels: AnyOf<Box<str>> },
}

/// The short form's keys for attributes, and which attribute each means.
const SHORT_KEYS: [(&str, &str); 2] =
    [("agent_ids", "agent_id"), ("conversation_ids", "conversation_id")];

/// Keys of the pattern language that are not read yet, so that their refusal says so.
const LATER_KEYS: [&str; 4] = ["type", "tenant_id", "data", "$or"];

const ROOT: &str = "/filter";

impl Clause {
    pub(super) fn matches(&self, event: &Prepared<'_>) -> bool {
        match self {
            Self::AttributeIsAnyOf { name, values } => event
                .attributes()
                .find(name)
                .is_some_and(|(value, hash)| values.contains(hash, |wanted| wanted == value)),
            Self::AnyLabelOf { labels } => event.has_any_label_of(labels),
        }
    }
}

/// Reads a whole filter.
pub(super) fn compile(filter: &Value) -> Result<Vec<Clause>, FilterError> {
    if is_deeper_than(filter, MAX_DEPTH) {
        let detail = format!("nests deeper than {MAX_DEPTH} levels");
        return Err(FilterError::new(ROOT, "filter.depth", detail));
    }
    let Value::Object(object) = filter else {
        return Err(FilterError::new(ROOT, "type", "must be an object"));
    };
    let mut reader = Reader { values_left: MAX_VALUES, clauses: Vec::new() };
    if SHORT_KEYS.iter().any(|(key, _)| object.contains_key(*key)) {
        reader.short_form(object)?;
    } else {
        reader.pattern(object)?;
    }
    Ok(reader.clauses)
}

struct Reader {
    values_left: usize,
    clauses: Vec<Clause>,
}

impl Reader {
    fn pattern(&mut self, object: &Map<String, Value>) -> Result<(), FilterError> {
        for (key, value) in object {
            let pointer = FilterError::pointer_to(ROOT, key);
            match key.as_str() {
                "labels" => self.labels(&pointer, value)?,
                "attributes" => self.attributes(&pointer, value)?,
                _ => return Err(unknown_key(pointer, key)),
            }
        }
        Ok(())
    }

    /// The short form comes from callers who always write all of its keys, so there nothing asked for is no constraint.
    fn short_form(&mut self, object: &Map<String, Value>) -> Result<(), FilterError> {
        for (key, value) in object {
            let pointer = FilterError::pointer_to(ROOT, key);
            let attribute = SHORT_KEYS.iter().find(|(short, _)| short == key);
            if attribute.is_none() && key != "labels" {
                return Err(unknown_key(pointer, key));
            }
            if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
                continue;
            }
            match attribute {
                None => self.labels(&pointer, value)?,
                Some((_, name)) => {
                    let values = self.texts(&pointer, value)?.into_iter().map(Scalar::Text);
                    self.attribute(name, values.collect());
                }
            }
        }
        Ok(())
    }

    fn attributes(&mut self, pointer: &str, value: &Value) -> Result<(), FilterError> {
        let Value::Object(object) = value else {
            return Err(FilterError::new(pointer, "type", "must be an object of lists"));
        };
        if object.is_empty() {
            let detail = "is empty; leave it out for no constraint";
            return Err(FilterError::new(pointer, "filter.empty", detail));
        }
        for (name, list) in object {
            let pointer = FilterError::pointer_to(pointer, name);
            if name.starts_with('$') {
                return Err(unsupported(pointer));
            }
            let values = self.list(&pointer, list, Scalar::from_value)?;
            self.attribute(name, values);
        }
        Ok(())
    }

    fn labels(&mut self, pointer: &str, value: &Value) -> Result<(), FilterError> {
        let labels = AnyOf::new(self.texts(pointer, value)?);
        self.clauses.push(Clause::AnyLabelOf { labels });
        Ok(())
    }

    fn attribute(&mut self, name: &str, values: Vec<Scalar>) {
        let values = AnyOf::new(values);
        self.clauses.push(Clause::AttributeIsAnyOf { name: name.into(), values });
    }

    fn texts(&mut self, pointer: &str, value: &Value) -> Result<Vec<Box<str>>, FilterError> {
        self.list(pointer, value, |item| item.as_str().map(Box::from))
    }

    /// Reads a list that is not empty, each item by `read`.
    fn list<T>(
        &mut self,
        pointer: &str,
        value: &Value,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, FilterError> {
        let Value::Array(items) = value else {
            return Err(FilterError::new(pointer, "type", "must be a list"));
        };
        if items.is_empty() {
            let detail = "is empty and would match nothing; leave it out for no constraint";
            return Err(FilterError::new(pointer, "filter.empty", detail));
        }
        self.values_left = self.values_left.checked_sub(items.len()).ok_or_else(|| {
            let detail = format!("has too many values; at most {MAX_VALUES} are accepted in all");
            FilterError::new(pointer, "filter.size", detail)
        })?;
        let mut out = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let pointer = || format!("{pointer}/{index}");
            if item.as_str().is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
                let detail = format!("has more than {MAX_TEXT_BYTES} bytes");
                return Err(FilterError::new(pointer(), "filter.size", detail));
            }
            if item.is_object() {
                return Err(unsupported(pointer()));
            }
            out.push(read(item).ok_or_else(|| {
                FilterError::new(pointer(), "type", "is not a value that can be compared here")
            })?);
        }
        Ok(out)
    }
}

fn unknown_key(pointer: String, key: &str) -> FilterError {
    if LATER_KEYS.contains(&key) {
        return unsupported(pointer);
    }
    let detail = "is not a key of a filter; known are attributes and labels, or the short form agent_ids, conversation_ids and labels";
    FilterError::new(pointer, "filter.unknown_key", detail)
}

fn unsupported(pointer: String) -> FilterError {
    let detail = "this part of the pattern language is not supported; use lists of exact values";
    FilterError::new(pointer, "filter.unsupported", detail)
}

/// Looks no deeper than the limit, so a hostile depth costs nothing.
fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let mut children: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(object) => Box::new(object.values()),
        _ => return false,
    };
    levels == 0 || children.any(|child| is_deeper_than(child, levels - 1))
}
