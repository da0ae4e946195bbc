use serde_json::json;

use super::*;

fn compile(event_types: &[&str], filter: Value) -> Result<Subscription, FilterError> {
    let event_types: Vec<_> = event_types.iter().map(|text| (*text).to_owned()).collect();
    Subscription::compile(&event_types, Some(&filter))
}

fn types(event_types: &[&str]) -> Subscription {
    compile(event_types, json!({})).expect("valid patterns")
}

fn refusal(filter: Value) -> (String, &'static str) {
    let error = compile(&["*"], filter).expect_err("must be refused");
    (error.pointer, error.code)
}

fn wants(
    subscription: &Subscription,
    event_type: &str,
    attributes: &Value,
    labels: &[&str],
) -> bool {
    let attributes = Attributes::parse(&attributes.to_string()).expect("valid attributes");
    let labels: Vec<_> = labels.iter().map(|text| (*text).to_owned()).collect();
    subscription.matches(&EventView {
        tenant: "acme",
        event_type,
        attributes: &attributes,
        labels: &labels,
        data: &Data::NONE,
    })
}

fn view<'a>(
    event_type: &'a str,
    attributes: &'a Attributes,
    labels: &'a [String],
) -> EventView<'a> {
    EventView { tenant: "acme", event_type, attributes, labels, data: &Data::NONE }
}

fn wants_type(subscription: &Subscription, event_type: &str) -> bool {
    wants(subscription, event_type, &json!({}), &[])
}

#[test]
fn event_types_match_exactly_by_prefix_or_all() {
    for (patterns, event_type, expected) in [
        (&["email.received"][..], "email.received", true),
        (&["email.received"], "email.received.again", false),
        (&["email.received"], "email", false),
        (&["email.received"], "Email.Received", false),
        (&["email.*"], "email.received", true),
        (&["email.*"], "email.item.added", true),
        (&["email.*"], "email", false),
        (&["email.*"], "emails.sent", false),
        (&["email.item.*"], "email.item.added", true),
        (&["email.item.*"], "email.received", false),
        (&["*"], "anything", true),
        (&["*"], "a.b.c", true),
        (&["invoice.paid", "email.*"], "email.sent", true),
        (&["invoice.paid", "email.*"], "invoice.sent", false),
    ] {
        assert_eq!(wants_type(&types(patterns), event_type), expected, "{patterns:?} {event_type}");
    }
}

#[test]
fn operator_events_reach_only_those_who_name_them() {
    for event_type in OPERATOR_EVENTS {
        assert!(!wants_type(&types(&["*"]), event_type), "{event_type}");
        assert!(wants_type(&types(&[event_type]), event_type), "{event_type}");
        assert!(wants_type(&types(&["*", "endpoint.*", "delivery.*"]), event_type), "{event_type}");
        assert!(is_operator_event(event_type));
    }
    assert!(!wants_type(&types(&["*", "delivery.*"]), "endpoint.created"));
    // A producer's own type in the same family is an ordinary one.
    assert!(wants_type(&types(&["*"]), "delivery.started"));
    assert!(OPERATOR_EVENTS.is_sorted());
}

#[test]
fn malformed_patterns_are_refused_by_position() {
    for pattern in [
        "",
        ".",
        ".*",
        "*.*",
        "a.*.b",
        "a*",
        "*a",
        "a.**",
        "a..b",
        "a.",
        ".a",
        "a b",
        "a\n",
        "a-b",
        "é",
        "email.*.*",
        &"a".repeat(129),
    ] {
        let error = compile(&["ok", pattern], json!({})).unwrap_err();
        assert_eq!(
            (error.pointer.as_str(), error.code),
            ("/event_types/1", "filter.pattern"),
            "{pattern:?}"
        );
    }
    assert_eq!(compile(&[], json!({})).unwrap_err().code, "filter.empty");
    assert_eq!(compile(&vec!["a"; 1001], json!({})).unwrap_err().code, "filter.size");
}

#[test]
fn lists_are_alternatives_and_keys_are_conjunctions() {
    let subscription = compile(
        &["*"],
        json!({ "attributes": { "plan": ["pro", "team"], "region": ["eu"] }, "labels": ["vip", "beta"] }),
    )
    .unwrap();
    for (attributes, labels, expected) in [
        (json!({ "plan": "pro", "region": "eu" }), &["vip"][..], true),
        (json!({ "plan": "team", "region": "eu", "x": 1 }), &["other", "beta"], true),
        (json!({ "plan": "free", "region": "eu" }), &["vip"], false),
        (json!({ "plan": "pro", "region": "us" }), &["vip"], false),
        (json!({ "plan": "pro", "region": "eu" }), &["VIP"], false),
        (json!({ "plan": "pro", "region": "eu" }), &[], false),
        (json!({ "plan": "pro" }), &["vip"], false),
        (json!({ "plan": "pro", "region": null }), &["vip"], false),
        (json!({}), &["vip"], false),
    ] {
        assert_eq!(
            wants(&subscription, "t", &attributes, labels),
            expected,
            "{attributes} {labels:?}"
        );
    }
}

#[test]
fn values_are_compared_without_coercion() {
    let subscription =
        compile(&["*"], json!({ "attributes": { "n": [1, "2", true, 0.5] } })).unwrap();
    for (text, expected) in [
        (r#"{"n":1}"#, true),
        (r#"{"n":1.0}"#, true),
        (r#"{"n":10e-1}"#, true),
        (r#"{"n":"2"}"#, true),
        (r#"{"n":true}"#, true),
        (r#"{"n":5e-1}"#, true),
        (r#"{"n":"1"}"#, false),
        (r#"{"n":2}"#, false),
        (r#"{"n":"true"}"#, false),
        (r#"{"n":1.0000001}"#, false),
        (r#"{"n":null}"#, false),
    ] {
        let attributes = Attributes::parse(text).unwrap();
        let event = view("t", &attributes, &[]);
        assert_eq!(subscription.matches(&event), expected, "{text}");
    }
}

#[test]
fn large_numbers_are_told_apart_as_far_as_json_readers_do() {
    let list = json!({ "attributes": { "n": [9_007_199_254_740_993_i64, u64::MAX, i64::MIN] } });
    let subscription = compile(&["*"], list).unwrap();
    for (text, expected) in [
        (r#"{"n":9007199254740993}"#, true),
        (r#"{"n":9007199254740992}"#, false),
        (r#"{"n":18446744073709551615}"#, true),
        (r#"{"n":18446744073709551616}"#, false),
        (r#"{"n":-9223372036854775808}"#, true),
        (r#"{"n":1e400}"#, false),
        (r#"{"n":-0}"#, false),
    ] {
        let attributes = Attributes::parse(text).unwrap();
        let event = view("t", &attributes, &[]);
        assert_eq!(subscription.matches(&event), expected, "{text}");
    }
}

#[test]
fn the_short_form_means_attributes_and_forgives_empty_lists() {
    let short = compile(
        &["*"],
        json!({ "agent_ids": ["a1", "a2"], "conversation_ids": null, "labels": [] }),
    );
    let short = short.unwrap();
    assert!(wants(&short, "t", &json!({ "agent_id": "a2" }), &[]));
    assert!(!wants(&short, "t", &json!({ "agent_id": "a3" }), &[]));
    assert!(!wants(&short, "t", &json!({}), &[]));

    let nothing =
        compile(&["*"], json!({ "agent_ids": [], "conversation_ids": [], "labels": null }))
            .unwrap();
    assert!(wants(&nothing, "t", &json!({}), &[]));

    let both = compile(&["*"], json!({ "conversation_ids": ["c1"], "labels": ["vip"] })).unwrap();
    assert!(wants(&both, "t", &json!({ "conversation_id": "c1" }), &["vip"]));
    assert!(!wants(&both, "t", &json!({ "conversation_id": "c1" }), &[]));
}

#[test]
fn what_a_filter_may_not_say_is_refused_with_a_pointer() {
    for (filter, pointer, code) in [
        (json!([]), "/filter", "type"),
        (json!(null), "/filter", "type"),
        (json!({ "labels": [] }), "/filter/labels", "filter.empty"),
        (json!({ "labels": null }), "/filter/labels", "type"),
        (json!({ "labels": "vip" }), "/filter/labels", "type"),
        (json!({ "labels": ["a", 1] }), "/filter/labels/1", "type"),
        (json!({ "attributes": [] }), "/filter/attributes", "type"),
        (json!({ "attributes": {} }), "/filter/attributes", "filter.empty"),
        (json!({ "attributes": { "a": [] } }), "/filter/attributes/a", "filter.empty"),
        (json!({ "attributes": { "a": null } }), "/filter/attributes/a", "type"),
        (json!({ "attributes": { "a": "x" } }), "/filter/attributes/a", "type"),
        (json!({ "attributes": { "a": [null] } }), "/filter/attributes/a/0", "type"),
        (json!({ "attributes": { "a": [["x"]] } }), "/filter/attributes/a/0", "type"),
        (json!({ "attributes": { "a/b~": [{}] } }), "/filter/attributes/a~1b~0/0", "filter.empty"),
        (json!({ "attributes": { "$or": [] } }), "/filter/attributes/$or", "filter.empty"),
        (json!({ "$or": [] }), "/filter/$or", "filter.empty"),
        (json!({ "attribute": {} }), "/filter/attribute", "filter.unknown_key"),
        (
            json!({ "agent_ids": ["a"], "attributes": {} }),
            "/filter/attributes",
            "filter.unknown_key",
        ),
        (json!({ "agent_ids": [1] }), "/filter/agent_ids/0", "type"),
        (json!({ "agent_ids": "a" }), "/filter/agent_ids", "type"),
        (json!({ "labels": ["x".repeat(1025)] }), "/filter/labels/0", "filter.size"),
    ] {
        assert_eq!(refusal(filter.clone()), (pointer.to_owned(), code), "{filter}");
    }
}

#[test]
fn values_are_counted_over_the_whole_filter() {
    let list = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    assert!(compile(&["*"], json!({ "attributes": { "a": list(500), "b": list(500) } })).is_ok());
    let (pointer, code) = refusal(json!({ "attributes": { "a": list(500), "b": list(501) } }));
    assert_eq!((pointer.as_str(), code), ("/filter/attributes/b", "filter.size"));
}

#[test]
fn depth_is_refused_before_anything_else_is_read() {
    let nested = (0..1000).fold(json!([1]), |inner, _| json!({ "all": inner }));
    assert_eq!(refusal(nested), ("/filter".to_owned(), "filter.depth"));
}

#[test]
fn attributes_are_read_from_their_text() {
    let attributes =
        Attributes::parse(r#"{"b":"\u00e9","a":1,"c":null,"b":"last","":false}"#).unwrap();
    assert_eq!(attributes.len(), 3);
    assert_eq!(attributes.get("a"), Some(&Scalar::Int(1)));
    assert_eq!(attributes.get("b"), Some(&Scalar::Text("last".into())));
    assert_eq!(attributes.get(""), Some(&Scalar::Bool(false)));
    assert_eq!(attributes.get("c"), None);
    assert!(Attributes::parse("{}").unwrap().is_empty());
    assert!(Attributes::parse(" { } ").unwrap().is_empty());
    // A later null takes an earlier value back.
    assert!(Attributes::parse(r#"{"a":1,"a":null}"#).unwrap().is_empty());
}

#[test]
fn other_texts_are_no_attributes_and_are_not_repeated() {
    for text in [
        "",
        "null",
        "[]",
        "\"canary\"",
        "{\"a\":[]}",
        "{\"a\":{\"canary\":1}}",
        "{\"canary\"}",
        "{} x",
    ] {
        let error = Attributes::parse(text).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn event_types_are_read_from_json() {
    assert_eq!(event_types_from_json(None).unwrap(), ["*"]);
    assert_eq!(event_types_from_json(Some(&json!(["a.b"]))).unwrap(), ["a.b"]);
    assert_eq!(event_types_from_json(Some(&json!(null))).unwrap_err().code, "type");
    assert_eq!(
        event_types_from_json(Some(&json!(["a", 1]))).unwrap_err().pointer,
        "/event_types/1"
    );
}

#[test]
fn routes_find_each_endpoint_once_however_its_patterns_overlap() {
    let patterns: [&[&str]; 7] = [
        &["email.received", "email.*", "*"],
        &["email.received", "email.*"],
        &["email.*", "email.item.*", "email.received"],
        &["endpoint.*", "*"],
        &["endpoint.*", "endpoint.created"],
        &["invoice.paid"],
        &["email.received", "email.received"],
    ];
    let routes = Routes::new(patterns.iter().map(|patterns| types(patterns)).enumerate().collect());
    assert_eq!(routes.len(), 7);
    for (event_type, expected) in [
        ("email.received", &[0, 1, 2, 3, 6][..]),
        ("email.item.added", &[0, 1, 2, 3]),
        ("endpoint.created", &[3, 4]),
        ("endpoint.custom", &[0, 3, 4]),
        ("delivery.exhausted", &[]),
        ("invoice.paid", &[0, 3, 5]),
        ("email", &[0, 3]),
    ] {
        let attributes = Attributes::default();
        let event = view(event_type, &attributes, &[]);
        let mut found = Vec::new();
        routes.for_each_match(&event, |key| found.push(*key));
        found.sort_unstable();
        assert_eq!(found, expected, "{event_type}");
    }
    assert!(Routes::<u8>::new(Vec::new()).is_empty());
}

#[test]
fn matching_is_given_up_between_two_that_are_slow_and_among_many_that_are_not() {
    let attributes = Attributes::default();
    for (filter, most) in [(json!({ "data": [{ "exists": false }] }), 1), (json!({}), 64)] {
        let subscription = compile(&["*"], filter).unwrap();
        let routes = Routes::new((0..200).map(|n| (n, subscription.clone())).collect());
        let (event, mut found) = (view("a.b", &attributes, &[]), 0);
        let given_up = routes.for_each_match_while(&event, || false, |_| found += 1);
        assert_eq!((given_up, found), (Err(GivenUp), most));
        let mut asked = 0;
        let go_on = || {
            asked += 1;
            true
        };
        found = 0;
        assert_eq!(routes.for_each_match_while(&event, go_on, |_| found += 1), Ok(()));
        assert_eq!((found, asked), (200, 200 / most));
    }
}

#[test]
fn any_number_of_labels_and_values_is_searched() {
    let labels: Vec<_> = (0..100).map(|n| format!("l{n}")).collect();
    let attributes = Attributes::parse(r#"{"k":"v500"}"#).unwrap();
    let event = view("t", &attributes, &labels);
    for (wanted, expected) in
        [("l0", true), ("l63", true), ("l64", true), ("l99", true), ("l100", false)]
    {
        let subscription = compile(&["*"], json!({ "labels": ["x", wanted] })).unwrap();
        assert_eq!(subscription.matches(&event), expected, "{wanted}");
    }
    let values = |skipped: usize| {
        (0..1000).filter(|n| *n != skipped).map(|n| format!("v{n}")).collect::<Vec<_>>()
    };
    for (skipped, expected) in [(499, true), (500, false)] {
        let subscription =
            compile(&["*"], json!({ "attributes": { "k": values(skipped) } })).unwrap();
        assert_eq!(subscription.matches(&event), expected);
    }
}

#[test]
fn data_is_needed_only_for_types_whose_endpoints_ask_for_it() {
    let on_data = json!({ "$or": [{ "labels": ["vip"] }, { "data": { "total": [1] } }] });
    let entries = [
        (&["invoice.*"][..], on_data.clone()),
        (&["email.sent", "endpoint.created"], on_data),
        (&["*"], json!({ "attributes": { "data": [1] }, "labels": [{ "exists": true }] })),
    ];
    let entries = entries.map(|(types, filter)| ((), compile(types, filter).unwrap()));
    let routes = Routes::new(entries.to_vec());
    for (event_type, expected) in [
        ("invoice.paid", true),
        ("email.sent", true),
        ("endpoint.created", true),
        ("email.received", false),
        ("endpoint.deleted", false),
        ("other", false),
    ] {
        assert_eq!(routes.need_data(event_type), expected, "{event_type}");
    }
}

#[test]
fn data_is_found_in_an_envelope_and_nowhere_else() {
    let envelope = |data: &str| {
        let head =
            r#"{"event":"a.b","id":"evt_1","created_at":"2026-01-02T03:04:05.678901Z","data":"#;
        Data::of_envelope(format!("{head}{data}}}").as_bytes())
    };
    let subscription = compile(&["*"], json!({ "data": { "data": ["x"] } })).unwrap();
    let attributes = Attributes::default();
    for (data, expected) in [
        (r#"{"data":"x"}"#, true),
        (r#"[1,"data",{"data":"x"}]"#, true),
        (r#"{"a":{"x":1,"data":"x"}}"#, false),
        (r#"",\"data\":\"x\"""#, false),
        ("null", false),
    ] {
        let data = envelope(data).unwrap();
        let event = EventView { data: &data, ..view("a.b", &attributes, &[]) };
        assert_eq!(subscription.matches(&event), expected, "{data:?}");
    }
    for broken in ["", "{}", "{\"event\":\"a\"}", "{\"id\":1,\"data\":1", "{\"id\":1,\"data\":}"] {
        assert!(Data::of_envelope(broken.as_bytes()).is_err(), "{broken}");
    }
    assert!(Data::of_envelope(b"{\"id\":1,\"data\":\"\xff\"}").is_err());
    assert!(!envelope("{canary").unwrap_err().to_string().contains("canary"));
}
