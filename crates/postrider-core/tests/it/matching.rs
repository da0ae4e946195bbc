//! The compiled matcher and the routing index against a slow reference that reads the JSON anew each time.

use postrider_core::filter::{
    Attributes, Data, EventView, Routes, Subscription, is_operator_event,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

#[derive(Clone, Debug)]
struct Event {
    event_type: String,
    attributes: Map<String, Value>,
    labels: Vec<String>,
}

fn event_type() -> impl Strategy<Value = String> {
    select(vec![
        "a",
        "a.b",
        "a.b.c",
        "ab",
        "b",
        "endpoint.created",
        "endpoint.custom",
        "delivery.exhausted",
    ])
    .prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    select(vec![
        "a",
        "a.b",
        "a.*",
        "a.b.*",
        "b",
        "*",
        "endpoint.*",
        "endpoint.created",
        "delivery.*",
    ])
    .prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!("x"),
        json!("y"),
        json!("1"),
        json!(1),
        json!(2.5),
        json!(true),
        json!(false),
    ])
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["k", "l", "m"]).prop_map(str::to_owned)
}

fn label() -> impl Strategy<Value = String> {
    select(vec!["p", "q", "r"]).prop_map(str::to_owned)
}

fn filter() -> impl Strategy<Value = Value> {
    let attributes =
        prop::collection::btree_map(name(), prop::collection::vec(scalar(), 1..4), 1..3);
    let labels = prop::collection::vec(label(), 1..3);
    (prop::option::of(attributes), prop::option::of(labels)).prop_map(|(attributes, labels)| {
        let mut filter = Map::new();
        if let Some(attributes) = attributes {
            filter.insert("attributes".into(), json!(attributes));
        }
        if let Some(labels) = labels {
            filter.insert("labels".into(), json!(labels));
        }
        Value::Object(filter)
    })
}

fn event() -> impl Strategy<Value = Event> {
    let value = prop_oneof![4 => scalar(), 1 => Just(Value::Null)];
    let attributes = prop::collection::btree_map(name(), value, 0..4);
    (event_type(), attributes, prop::collection::vec(label(), 0..3)).prop_map(
        |(event_type, attributes, labels)| Event {
            event_type,
            attributes: attributes.into_iter().collect(),
            labels,
        },
    )
}

fn reference(patterns: &[String], filter: &Value, event: &Event) -> bool {
    let type_matches = patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some("") => !is_operator_event(&event.event_type),
        Some(prefix) => event.event_type.starts_with(prefix),
        None => *pattern == event.event_type,
    });
    let attributes_match = filter["attributes"].as_object().is_none_or(|wanted| {
        wanted.iter().all(|(name, values)| {
            let value = event.attributes.get(name).filter(|value| !value.is_null());
            value
                .is_some_and(|value| values.as_array().is_some_and(|values| values.contains(value)))
        })
    });
    let labels_match = filter["labels"].as_array().is_none_or(|wanted| {
        event.labels.iter().any(|label| wanted.contains(&Value::from(label.as_str())))
    });
    type_matches && attributes_match && labels_match
}

proptest! {
    #[test]
    fn the_index_and_the_matcher_agree_with_the_reference(
        endpoints in prop::collection::vec((prop::collection::vec(pattern(), 1..5), filter()), 0..12),
        event in event(),
    ) {
        let attributes = Attributes::parse(&Value::Object(event.attributes.clone()).to_string()).unwrap();
        let view = EventView {
            tenant: "acme",
            event_type: &event.event_type,
            attributes: &attributes,
            labels: &event.labels,
            data: &Data::NONE,
        };
        let mut expected = Vec::new();
        let mut entries = Vec::new();
        for (index, (patterns, filter)) in endpoints.iter().enumerate() {
            let subscription = Subscription::compile(patterns, Some(filter)).unwrap();
            let wanted = reference(patterns, filter, &event);
            prop_assert_eq!(subscription.matches(&view), wanted, "{:?} {}", patterns, filter);
            if wanted {
                expected.push(index);
            }
            entries.push((index, subscription));
        }
        let mut found = Vec::new();
        Routes::new(entries).for_each_match(&view, |index| found.push(*index));
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
