//! What must be true of any filter and any event. An input is a filter on the first line and an event behind it, both JSON.

use postrider_core::filter::{Data, FilterError, Subscription};
use serde_json::Value;

use crate::reference;

/// Deeper data is read differently by the reference: it knows no limit.
const MAX_DEPTH: usize = 60;

/// How far an input came. The fuzzer does not care; the test wants to know that its inputs are not all nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Nowhere,
    ToRefusal,
    ToAnswer(bool),
}

/// Panics if something is not as it must be.
pub(crate) fn run(input: &[u8]) -> Came {
    let Ok(text) = std::str::from_utf8(input) else { return Came::Nowhere };
    let (filter, event) = text.split_once('\n').unwrap_or((text, "{}"));
    for json in [filter, event] {
        let read = Data::parse(json);
        assert!(read.is_ok() || serde_json::from_str::<Value>(json).is_err(), "{json} is JSON");
    }
    let Ok(filter) = serde_json::from_str::<Value>(filter) else { return Came::Nowhere };
    let subscription = match Subscription::compile(&["*".to_owned()], Some(&filter)) {
        Ok(subscription) => subscription,
        Err(error) => return refused(&error),
    };
    let Some(event) = event_of(event) else { return Came::Nowhere };
    let answer = reference::with_view(&event, |view| {
        let matched = subscription.matches(view);
        let explanation = subscription.explain(view);
        assert_eq!(explanation.matched, matched, "{filter} {event}: {explanation:?}");
        assert_eq!(explanation.failed().is_empty(), matched, "{filter} {event}: {explanation:?}");
        let is_short =
            ["agent_ids", "conversation_ids"].iter().any(|key| filter.get(key).is_some());
        assert!(is_short || reference::matches(&filter, &event) == matched, "{filter} {event}");
        matched
    });
    answer.map_or(Came::Nowhere, Came::ToAnswer)
}

/// A refusal says where and why, on one line.
fn refused(error: &FilterError) -> Came {
    assert!(error.pointer.starts_with("/filter"), "{error:?}");
    assert!(!error.code.is_empty() && !error.to_string().contains('\n'), "{error:?}");
    Came::ToRefusal
}

/// The event with a type and a tenant, if it is one that the reference can be asked about.
fn event_of(text: &str) -> Option<Value> {
    let mut event: Value = serde_json::from_str(text).ok()?;
    let object = event.as_object_mut()?;
    for key in ["type", "tenant_id"] {
        object.entry(key).or_insert_with(|| Value::from("t"));
    }
    // An operator event is not matched by `*`.
    let is_operator = event["type"].as_str().is_none_or(postrider_core::filter::is_operator_event);
    (!is_operator && depth(&event) <= MAX_DEPTH).then_some(event)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
