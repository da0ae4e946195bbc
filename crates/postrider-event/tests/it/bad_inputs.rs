//! Every case of `bad_inputs.json` that this crate can judge gets the verdict stated there.
//!
//! Left to others: publishing one id twice (crate `postrider`, real database), ids in the path of a request, and an
//! explicit null as tenant, which a Rust `&str` cannot be. Two policy cases are settled otherwise by the specification:
//! a payload is any JSON value, so a number and null at the top are accepted.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use postrider_event::{EMAIL_SENT, Event, EventId, EventType, Limits};
use serde_json::Value;

const SETTLED_OTHERWISE: &[&str] = &["payload-017", "payload-018"];

fn cases(group: &str) -> Vec<Value> {
    let file: Value =
        serde_json::from_str(include_str!("../bad_inputs.json")).expect("the table is JSON");
    let cases = file["cases"].as_array().expect("a list of cases");
    let cases: Vec<Value> = cases.iter().filter(|case| case["group"] == group).cloned().collect();
    assert!(!cases.is_empty());
    cases
}

/// Turns the table's generators into the text they stand for.
fn text(input: &Value) -> String {
    match input {
        Value::String(text) => text.clone(),
        Value::Object(generator) => {
            let (name, argument) = generator.iter().next().expect("a generator has a name");
            match name.as_str() {
                "$json" => text(argument),
                "$concat" => argument.as_array().expect("a list").iter().map(text).collect(),
                "$repeat" => text(&argument[0])
                    .repeat(argument[1].as_u64().and_then(|n| n.try_into().ok()).expect("a count")),
                "$b64" => {
                    String::from_utf8(BASE64_STANDARD.decode(text(argument)).expect("base64"))
                        .expect("UTF-8")
                }
                "$keys" => {
                    let keys: Vec<String> = (0..argument.as_u64().expect("a count"))
                        .map(|n| format!("\"k{n}\":{n}"))
                        .collect();
                    format!("{{{}}}", keys.join(","))
                }
                other => panic!("no generator is called {other}"),
            }
        }
        other => panic!("{other} is no text"),
    }
}

fn assert_verdict(case: &Value, code: Option<&str>) {
    let expect = &case["expect"];
    let id = case["id"].as_str().expect("a case has an id");
    let settled_otherwise = SETTLED_OTHERWISE.contains(&id);
    match expect["verdict"].as_str().expect("a verdict") {
        "accept" | "accept_or_reject" => assert_eq!(code, None, "{id}"),
        "reject" if settled_otherwise => {
            assert_eq!(case["policy"], true, "{id}");
            assert_eq!(code, None, "{id}");
        }
        "reject" => assert_eq!(code, expect["code"].as_str(), "{id}"),
        other => panic!("{id}: verdict {other}"),
    }
}

#[test]
fn event_types_get_the_stated_verdict() {
    for case in cases("event_type") {
        let parsed = EventType::parse(text(&case["input"]));
        assert_verdict(&case, parsed.err().map(|fault| fault.code));
    }
}

#[test]
fn payloads_get_the_stated_verdict_and_are_kept_byte_for_byte() {
    for case in cases("payload") {
        let payload = text(&case["input"]);
        let event = Event::of(EMAIL_SENT).data_text(payload.clone());
        assert_verdict(&case, event.validate(&Limits::default()).err().map(|fault| fault.code));
        assert!(event.data() == payload, "{}", case["id"]);
    }
}

#[test]
fn tenants_get_the_stated_verdict() {
    let mut judged = 0;
    for case in cases("id") {
        if let Some(tenant) = case["input"].get("tenant").and_then(Value::as_str) {
            let fault =
                Event::new(EMAIL_SENT, tenant).data_text("{}").validate(&Limits::default()).err();
            assert_verdict(&case, fault.map(|fault| fault.code));
            judged += 1;
        }
    }
    assert_eq!(judged, 3);
}

/// The pairs are tried both ways they can be read: all parts as the key, and the last part as the event type.
#[test]
fn derived_ids_are_the_same_or_distinct_as_stated() {
    let derive = |event_type: &EventType, parts: &[&str]| {
        EventId::derive(event_type, parts).expect("a key with parts")
    };
    let mut judged = 0;
    for case in cases("id").iter().filter(|case| case["kind"] == "deterministic_id_pair") {
        let parts = |side: &str| -> Vec<&str> {
            case["input"][side]
                .as_array()
                .expect("a list")
                .iter()
                .map(|part| part.as_str().expect("text"))
                .collect()
        };
        let (a, b) = (parts("a"), parts("b"));
        let same = case["expect"]["verdict"] == "same";
        assert_eq!(derive(&EMAIL_SENT, &a) == derive(&EMAIL_SENT, &b), same, "{}", case["id"]);
        if let ([key_a @ .., type_a], [key_b @ .., type_b]) = (&a[..], &b[..])
            && let (Ok(type_a), Ok(type_b)) = (EventType::parse(*type_a), EventType::parse(*type_b))
            && !key_a.is_empty()
        {
            assert_eq!(derive(&type_a, key_a) == derive(&type_b, key_b), same, "{}", case["id"]);
        }
        judged += 1;
    }
    assert_eq!(judged, 4);
}
