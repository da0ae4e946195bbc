use std::collections::HashMap;

use postrider_event::{
    AttributeValue, EMAIL_BOUNCED, EMAIL_RECEIVED, Event, EventBuilder, EventId, EventType, Limits,
    email,
};
use serde_json::value::RawValue;

mod support_tickets {
    postrider_event::event_types! {
        /// Types of a catalog declared outside the crate.
        pub(super) catalog TICKET_EVENTS {
            /// A ticket was opened
            /// by a customer.
            TICKET_OPENED = "ticket.opened",
            /// A ticket was closed.
            TICKET_CLOSED = "ticket.closed"
        }
    }
}

#[test]
fn the_built_in_catalog_names_twelve_described_events() {
    let names: Vec<&str> = EventType::ALL.iter().map(EventType::as_str).collect();
    let expected = "received sent failed delivered opened clicked bounced complained pending_approval approved rejected \
                    unsubscribed";
    assert_eq!(names, expected.split(' ').map(|name| format!("email.{name}")).collect::<Vec<_>>());
    assert!(EventType::ALL.iter().all(|known| known.description().ends_with('.')));
    assert!(EventType::is_valid("email.received"));
    assert!(!EventType::is_valid("email.recieved"));
    assert!(!EventType::is_valid("Email.received"));
}

#[test]
fn a_service_declares_its_own_catalog() {
    use support_tickets::{TICKET_CLOSED, TICKET_EVENTS, TICKET_OPENED};
    assert_eq!(TICKET_EVENTS, [TICKET_OPENED, TICKET_CLOSED]);
    assert_eq!(TICKET_OPENED.description(), "A ticket was opened by a customer.");
    assert_eq!(EventType::parse("ticket.opened").expect("valid"), TICKET_OPENED);
    assert_eq!(serde_json::to_string(&TICKET_OPENED).expect("text"), "\"ticket.opened\"");
    assert!(serde_json::from_str::<EventType>("\"ticket.*\"").is_err());
}

#[test]
fn each_email_event_has_its_natural_key() {
    let key = |event: EventBuilder, parts: &[&str]| {
        let event = event.data_text("{}");
        let expected = EventId::derive(event.event_type(), parts).expect("a key with parts");
        assert_eq!(event.id(), expected.as_str(), "{}", event.event_type());
        assert_eq!(event.tenant(), "t");
        event.event_type().clone()
    };
    let types = [
        key(email::received("t", "m"), &["m"]),
        key(email::sent("t", "m"), &["m"]),
        key(email::failed("t", "m", Some("p")), &["m", "p"]),
        key(email::delivered("t", "m", "p"), &["m", "p"]),
        key(email::opened("t", "s", Some("h")), &["s", "h"]),
        key(email::clicked("t", "s", "h"), &["s", "h"]),
        key(email::bounced("t", "m", "p"), &["m", "p"]),
        key(email::complained("t", "m", "p"), &["m", "p"]),
        key(email::pending_approval("t", "m"), &["m"]),
        key(email::approved("t", "m"), &["m"]),
        key(email::rejected("t", "m"), &["m"]),
        key(email::unsubscribed("t", "s"), &["s"]),
    ];
    assert_eq!(types, EventType::ALL);
    key(email::failed("t", "m", None), &["m"]);
    key(email::opened("t", "s", None), &["s"]);
}

#[test]
fn the_builder_keeps_what_it_is_given() {
    let raw = RawValue::from_string("{\"b\":1,  \"a\":1E2}".to_owned()).expect("JSON");
    let event = Event::of(EMAIL_RECEIVED)
        .id_from(["m1"])
        .attribute("b", "x\"y")
        .attribute("a", 1)
        .attribute("a", 2.5)
        .attribute("c", true)
        .attribute("big", u64::MAX)
        .attribute_opt("none", None::<&str>)
        .attribute_opt("some", Some("s"))
        .labels(["l2", "l1"])
        .ordering_key("k")
        .data(&raw)
        .expect("it serialises");
    assert_eq!(event.tenant(), "default");
    assert_eq!(event.data(), "{\"b\":1,  \"a\":1E2}");
    let attributes = event.attributes_json().expect("there are some");
    assert_eq!(
        attributes,
        r#"{"a":2.5,"b":"x\"y","big":18446744073709551615,"c":true,"some":"s"}"#
    );
    assert_eq!(event.labels(), ["l2", "l1"]);
    assert_eq!(event.ordering_key(), Some("k"));
    assert_eq!(event.validate(&Limits::default()), Ok(()));
    assert!(!format!("{event:?}").contains("1E2"));
}

#[test]
fn an_event_without_a_key_draws_its_id_once() {
    let build = || Event::of(EMAIL_RECEIVED).data_text("{}");
    let event = build();
    assert_eq!(event.id(), event.clone().id());
    assert_ne!(event.id(), build().id());
    assert!(event.id().starts_with("evt_") && event.id().len() == 36);
    assert_eq!(EventId::parse(event.id()).expect("valid").as_str(), event.id());
}

#[test]
fn content_is_what_the_database_compares() {
    let base = || {
        Event::new(EMAIL_RECEIVED, "t").id("one").attribute("a", 1).labels(["l"]).ordering_key("o")
    };
    let event = base().data_text("{}");
    assert!(event.same_content(&base().id("other").traceparent("x").data_text("{}")));
    assert!(!event.same_content(&base().data_text("{ }")));
    assert!(!event.same_content(&base().attribute("a", 2).data_text("{}")));
    assert!(!event.same_content(&base().labels(["m"]).data_text("{}")));
    assert!(!event.same_content(&base().ordering_key("p").data_text("{}")));
    assert!(!event.same_content(&Event::new(EMAIL_BOUNCED, "t").data_text("{}")));
}

#[test]
fn a_payload_that_is_no_json_is_refused_when_the_event_is_built() {
    let keys_are_lists = HashMap::from([(vec![1], 1)]);
    let fault = Event::of(EMAIL_RECEIVED).data(&keys_are_lists).expect_err("keys must be strings");
    assert_eq!((fault.field.as_str(), fault.code), ("data", "payload.serialize"));
}

#[test]
fn attribute_values_come_from_json_scalars() {
    let cases = [
        ("\"a\"", Some(AttributeValue::from("a"))),
        ("true", Some(AttributeValue::from(true))),
        ("-7", Some(AttributeValue::from(-7))),
        ("18446744073709551615", Some(AttributeValue::from(u64::MAX))),
        ("2.5", Some(AttributeValue::from(2.5))),
        ("null", None),
        ("[1]", None),
        ("{}", None),
    ];
    for (json, expected) in cases {
        let value = serde_json::from_str(json).expect("JSON");
        assert_eq!(AttributeValue::from_json(&value), expected, "{json}");
    }
}
