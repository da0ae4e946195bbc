//! The compiled patterns against the reference, with random filters and events of the whole language.

use std::cell::Cell;

use postrider_core::filter::{Routes, Subscription};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::reference;

/// Few texts and many ways for them to be alike.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[abAB*é]{0,4}",
        1 => select(vec!["10.1.2.3", "10.1.9.9", "2001:db8::1", "x"]).prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    select(vec![
        json!(-1),
        json!(0),
        json!(0.5),
        json!(1),
        json!(1.0),
        json!(2.25),
        json!(9e300),
        json!(u64::MAX),
    ])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![4 => text().prop_map(Value::from), 2 => number(), 1 => any::<bool>().prop_map(Value::from)]
}

fn wildcard() -> impl Strategy<Value = String> {
    "(\\*|[abAB]|é|\\\\\\*){0,5}".prop_map(|mut text| {
        while text.contains("**") {
            text = text.replace("**", "*");
        }
        text
    })
}

fn text_operator() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(|text| json!({ "prefix": text })),
        text().prop_map(|text| json!({ "suffix": text })),
        text().prop_map(|text| json!({ "equals-ignore-case": text })),
        wildcard().prop_map(|text| json!({ "wildcard": text })),
        text().prop_map(|text| json!({ "prefix": { "equals-ignore-case": text } })),
        text().prop_map(|text| json!({ "suffix": { "equals-ignore-case": text } })),
    ]
}

fn range() -> impl Strategy<Value = Value> {
    let one = (select(vec!["=", "<", "<=", ">", ">="]), number())
        .prop_map(|(name, number)| json!({ "numeric": [name, number] }));
    let two = (select(vec![">", ">="]), select(vec!["<", "<="])).prop_flat_map(|(low, high)| {
        select(vec![(-1.0, 0.5), (0.0, 2.25), (0.5, 1.0)])
            .prop_map(move |(a, b)| json!({ "numeric": [low, a, high, b] }))
    });
    prop_oneof![one, two]
}

fn anything_but() -> impl Strategy<Value = Value> {
    let several = vec(text_operator(), 1..3).prop_map(|operators| {
        let (name, first) = operators[0].as_object().and_then(|o| o.iter().next()).expect("one");
        let same = operators.iter().filter_map(|operator| operator.get(name));
        let arguments: Vec<_> =
            same.filter(|argument| argument.is_string() == first.is_string()).collect();
        json!({ "anything-but": { name.as_str(): arguments } })
    });
    prop_oneof![
        scalar().prop_map(|value| json!({ "anything-but": value })),
        vec(scalar(), 1..3).prop_map(|values| json!({ "anything-but": values })),
        text_operator().prop_map(|operator| json!({ "anything-but": operator })),
        several,
    ]
}

fn item() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => scalar(),
        3 => text_operator(),
        2 => range(),
        2 => anything_but(),
        1 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        1 => select(vec!["10.1.0.0/16", "10.1.2.9/24", "2001:db8::/32"]).prop_map(|net| json!({ "cidr": net })),
    ]
}

/// A list for a field that holds texts only.
fn texts() -> impl Strategy<Value = Value> {
    let item = prop_oneof![
        text().prop_map(Value::from),
        text_operator(),
        any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        vec(text(), 1..3).prop_map(|texts| json!({ "anything-but": texts })),
    ];
    vec(item, 1..3).prop_map(Value::from)
}

fn list() -> impl Strategy<Value = Value> {
    vec(item(), 1..4).prop_map(Value::from)
}

fn key() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

/// An object of these values under a few keys, sometimes with `$or`.
fn keys(value: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let plain = prop::collection::btree_map(key(), value, 1..3).prop_map(|map| json!(map)).boxed();
    let branches = vec(plain.clone(), 1..3);
    prop_oneof![
        4 => plain.clone(),
        1 => branches.clone().prop_map(|branches| json!({ "$or": branches })),
        1 => (plain, branches).prop_map(|(mut object, branches)| {
            object["$or"] = json!(branches);
            object
        }),
    ]
    .boxed()
}

fn data_pattern() -> BoxedStrategy<Value> {
    list().boxed().prop_recursive(2, 12, 3, keys).boxed()
}

fn filter() -> impl Strategy<Value = Value> {
    let fields = (
        prop::option::weighted(0.1, texts()),
        prop::option::weighted(0.1, texts()),
        prop::option::weighted(0.2, texts()),
        prop::option::weighted(0.4, keys(list().boxed())),
        prop::option::weighted(0.4, data_pattern()),
    );
    let plain = fields.prop_map(|(event_type, tenant, labels, attributes, data)| {
        let fields = [
            ("type", event_type),
            ("tenant_id", tenant),
            ("labels", labels),
            ("attributes", attributes),
            ("data", data),
        ];
        let present =
            fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        present.collect::<Map<_, _>>()
    });
    let plain = plain.boxed();
    (plain.clone(), prop_oneof![2 => Just(Vec::new()), 1 => vec(plain, 1..3)]).prop_map(
        |(mut filter, mut branches)| {
            branches.retain(|branch| !branch.is_empty());
            if !branches.is_empty() {
                filter.insert("$or".to_owned(), json!(branches));
            }
            Value::Object(filter)
        },
    )
}

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![6 => scalar(), 1 => Just(Value::Null)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::from),
            2 => prop::collection::btree_map(key(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    let value = prop_oneof![5 => scalar(), 1 => Just(Value::Null)];
    let attributes = prop::collection::btree_map(key(), value, 0..4);
    (select(vec!["a", "ab", "b.A"]), text(), attributes, vec(text(), 0..3), prop::option::of(data()))
        .prop_map(|(event_type, tenant, attributes, labels, data)| {
            let mut event = json!({ "type": event_type, "tenant_id": tenant, "attributes": attributes, "labels": labels });
            if let Some(data) = data {
                event["data"] = data;
            }
            event
        })
}

fn compile(filter: &Value) -> Subscription {
    let subscription = Subscription::compile(&["*".to_owned()], Some(filter));
    subscription.unwrap_or_else(|error| panic!("{filter}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_compiled_filter_the_index_and_the_explanation_agree_with_the_reference(
        filters in vec(filter(), 1..6),
        event in event(),
    ) {
        let subscriptions: Vec<_> = filters.iter().map(compile).enumerate().collect();
        let expected: Vec<_> = filters.iter().map(|filter| reference::matches(filter, &event)).collect();
        let routes = Routes::new(subscriptions.clone());
        reference::with_view(&event, |view| {
            let mut found = vec![false; filters.len()];
            routes.for_each_match(view, |index| found[*index] = true);
            prop_assert_eq!(&found, &expected, "{:?} {}", filters, event);
            for (index, subscription) in &subscriptions {
                prop_assert_eq!(subscription.matches(view), expected[*index]);
                let explanation = subscription.explain(view);
                prop_assert_eq!(explanation.matched, expected[*index]);
                prop_assert_eq!(explanation.failed().is_empty(), expected[*index], "{:?}", explanation);
                let reads_data = filters[*index].to_string().contains("\"data\"");
                prop_assert_eq!(subscription.needs_data(), reads_data);
            }
            prop_assert_eq!(routes.need_data("a"), subscriptions.iter().any(|(_, s)| s.needs_data()));
            Ok(())
        }).expect("an event")?;
    }
}

#[test]
fn the_random_filters_both_match_and_do_not() {
    let (matched, tried) = (Cell::new(0_u32), Cell::new(0_u32));
    let mut runner = TestRunner::deterministic();
    runner
        .run(&(filter(), event()), |(filter, event)| {
            tried.set(tried.get() + 1);
            matched.set(matched.get() + u32::from(reference::matches(&filter, &event)));
            Ok(())
        })
        .expect("nothing fails here");
    let (matched, tried) = (matched.get(), tried.get());
    assert!((tried / 10..tried / 2).contains(&matched), "{matched} of {tried} matched");
}
