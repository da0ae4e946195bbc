//! Event type patterns of one endpoint.
//!
//! Compiling makes the patterns of a set disjoint: no event type matches two of them. That lets [`super::Routes`] find an
//! endpoint at most once without remembering whom it found.

use postrider_event::EventType;

use super::{FilterError, MAX_VALUES};
use crate::input::shown;

/// The events that Postrider publishes about its own work, sorted. They reach only endpoints that name them, exactly or by
/// `endpoint.*` and `delivery.*`, never those that ask for `*`.
pub const OPERATOR_EVENTS: [&str; 8] = [
    "delivery.exhausted",
    "endpoint.created",
    "endpoint.deleted",
    "endpoint.disabled",
    "endpoint.enabled",
    "endpoint.failing",
    "endpoint.recovered",
    "endpoint.updated",
];

/// Whether this is an event about Postrider's own work.
pub fn is_operator_event(event_type: &str) -> bool {
    OPERATOR_EVENTS.binary_search(&event_type).is_ok()
}

/// The patterns of one endpoint.
#[derive(Clone, Debug)]
pub(super) struct TypeSet {
    /// `*`: everything but operator events.
    pub(super) any: bool,
    /// Exact names, sorted, none of them under one of `prefixes`.
    pub(super) exact: Box<[Box<str>]>,
    /// `email.*` as `email.`, sorted, none of them under another.
    pub(super) prefixes: Box<[Box<str>]>,
}

impl TypeSet {
    pub(super) fn compile(patterns: &[String]) -> Result<Self, FilterError> {
        if patterns.is_empty() {
            let detail = "is empty; write [\"*\"] for every event type";
            return Err(FilterError::new("/event_types", "filter.empty", detail));
        }
        if patterns.len() > MAX_VALUES {
            let detail =
                format!("has {} entries; at most {MAX_VALUES} are accepted", patterns.len());
            return Err(FilterError::new("/event_types", "filter.size", detail));
        }
        let mut any = false;
        let mut exact: Vec<Box<str>> = Vec::new();
        let mut prefixes: Vec<Box<str>> = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            match parse(pattern) {
                Some(Pattern::Any) => any = true,
                Some(Pattern::Prefix(prefix)) => prefixes.push(prefix.into()),
                Some(Pattern::Exact(name)) => exact.push(name.into()),
                None => {
                    return Err(FilterError::new(
                        format!("/event_types/{index}"),
                        "filter.pattern",
                        format!(
                            "{:?} is neither an event type nor a pattern such as email.* or *",
                            shown(pattern)
                        ),
                    ));
                }
            }
        }
        // Sorted, a prefix stands directly before what it covers.
        prefixes.sort_unstable();
        prefixes.dedup_by(|later, earlier| later.starts_with(&**earlier));
        exact.sort_unstable();
        exact.dedup();
        exact.retain(|name| !prefixes.iter().any(|prefix| name.starts_with(&**prefix)));
        Ok(Self { any, exact: exact.into(), prefixes: prefixes.into() })
    }

    pub(super) fn matches(&self, event_type: &str) -> bool {
        self.any && !is_operator_event(event_type)
            || self.exact.binary_search_by(|name| (**name).cmp(event_type)).is_ok()
            || self.prefixes.iter().any(|prefix| event_type.starts_with(&**prefix))
    }
}

enum Pattern<'a> {
    Any,
    Prefix(&'a str),
    Exact(&'a str),
}

fn parse(pattern: &str) -> Option<Pattern<'_>> {
    if pattern == "*" {
        return Some(Pattern::Any);
    }
    let name = pattern.strip_suffix(".*").unwrap_or(pattern);
    EventType::parse(name).ok()?;
    if name.len() == pattern.len() {
        Some(Pattern::Exact(name))
    } else {
        // With the dot, so that `email.*` does not take `emails.sent`.
        Some(Pattern::Prefix(&pattern[..=name.len()]))
    }
}
