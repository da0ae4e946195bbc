//! Which events an endpoint wants: event type patterns and a filter, compiled once, matched without allocating.
//!
//! A [`Subscription`] is what one endpoint asked for; [`Routes`] holds those of all endpoints of one tenant, indexed by type.
//! Fan-out reads an [`EventView`] from the row and asks `Routes` for the endpoints that get a delivery. The pattern language
//! is described, with examples that a test runs, in docs/reference/filters.md.

mod alternatives;
mod any_of;
mod atom;
mod attributes;
mod clause;
mod compile;
mod data;
mod explain;
mod fold;
mod numeric;
mod prepared;
mod routes;
mod rule;
mod types;
mod wildcard;

use serde_json::Value;

use crate::input::shown;
use clause::{Clause, Subject};
use prepared::Prepared;
use types::TypeSet;

pub use attributes::{Attributes, AttributesError, Scalar};
pub use data::{Data, DataError};
pub use explain::{ClauseReport, Explanation};
pub use routes::{GivenUp, Routes};
pub use types::{OPERATOR_EVENTS, is_operator_event};

/// How many event types, and how many values in all lists of a filter together, are accepted.
pub const MAX_VALUES: usize = 1000;
/// How many lists a filter may have, those of `$or` and `anything-but` counted.
pub const MAX_LISTS: usize = 100;
/// How many operators a filter may have. Plain values are found by their hash, operators are asked one after another about
/// each element of a list in the data.
pub const MAX_OPERATORS: usize = 100;
/// What the lists and operators on an event's data may cost together: 1 for each list and each operator, 3 for `numeric`, 4 for `cidr`,
/// 5 for what ignores case. Matching is done for one event after another, so no filter may keep the others waiting. Measured on 2 cores
/// in November 2026: 1 is at most 0.5 ms with 256 KiB of data, whatever they are.
pub const MAX_COST: u32 = 100;
/// The longest text or key in a filter.
pub const MAX_TEXT_BYTES: usize = 1024;
/// How deep a filter may nest.
pub const MAX_DEPTH: usize = 16;

/// What matching may look at.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The tenant that published.
    pub tenant: &'a str,
    /// The event's type.
    pub event_type: &'a str,
    /// Its routing attributes.
    pub attributes: &'a Attributes,
    /// Its labels.
    pub labels: &'a [String],
    /// Its data, or [`Data::NONE`] where no subscription asks for it.
    pub data: &'a Data,
}

/// What one endpoint wants, compiled.
#[derive(Clone, Debug)]
pub struct Subscription {
    types: TypeSet,
    // All must hold.
    clauses: Box<[Clause]>,
}

/// A pattern or filter cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail} ({code})")]
pub struct FilterError {
    /// JSON pointer into the endpoint, such as `/filter/attributes/plan/0`.
    pub pointer: String,
    /// The stable code, such as `filter.unknown_key`.
    pub code: &'static str,
    /// What is wrong. Lower case, no full stop.
    pub detail: String,
}

impl Subscription {
    /// Compiles the endpoint's event types and its filter; no filter, or one without keys, is no constraint.
    ///
    /// Event types are exact names, `a.b.*` (one or more further segments) or `*`. A filter is an EventBridge pattern over
    /// `type`, `tenant_id`, `attributes`, `labels` and `data`: any of a list, all of the keys; or the short form
    /// `{"agent_ids": […], "conversation_ids": […], "labels": […]}`, where null and empty lists are no constraint.
    ///
    /// Codes: `filter.empty`, `filter.pattern`, `filter.unknown_key`, `filter.unknown_operator`, `filter.operand`, `filter.size`,
    /// `filter.cost`, `filter.depth`, `type`.
    pub fn compile(event_types: &[String], filter: Option<&Value>) -> Result<Self, FilterError> {
        let types = TypeSet::compile(event_types)?;
        let clauses = match filter {
            None => Vec::new(),
            Some(filter) => compile::compile(filter)?,
        };
        Ok(Self { types, clauses: clauses.into_boxed_slice() })
    }

    /// Whether the endpoint wants this event. Allocates nothing.
    pub fn matches(&self, event: &EventView<'_>) -> bool {
        self.types.matches(event.event_type) && self.filter_matches(&Prepared::new(event))
    }

    /// The clauses alone, for a caller that has found the type by an index.
    fn filter_matches(&self, event: &Prepared<'_>) -> bool {
        clause::all_hold(&self.clauses, Subject::Event(event))
    }

    /// Whether the filter looks at the event's data, so that it has to be read.
    pub fn needs_data(&self) -> bool {
        self.clauses.iter().any(Clause::needs_data)
    }
}

/// Reads the JSON of `event_types`: absent means every type; null, another kind and a list of other kinds have the code
/// `type`.
pub fn event_types_from_json(value: Option<&Value>) -> Result<Vec<String>, FilterError> {
    let Some(value) = value else {
        return Ok(vec!["*".to_owned()]);
    };
    let Value::Array(items) = value else {
        return Err(FilterError::new("/event_types", "type", "must be a list of texts"));
    };
    let text = |(index, item): (usize, &Value)| match item {
        Value::String(text) => Ok(text.clone()),
        _ => Err(FilterError::new(format!("/event_types/{index}"), "type", "must be a text")),
    };
    items.iter().enumerate().map(text).collect()
}

impl FilterError {
    fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }

    /// The pointer extended by one key, escaped as RFC 6901 says and kept printable.
    fn pointer_to(parent: &str, key: &str) -> String {
        format!("{parent}/{}", shown(&key.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
mod tests;
