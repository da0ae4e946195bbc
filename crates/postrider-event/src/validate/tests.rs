use super::*;
use crate::{EMAIL_SENT, EventBuilder};

fn event() -> EventBuilder {
    Event::of(EMAIL_SENT)
}

fn code(event: &Event) -> &'static str {
    event.validate(&Limits::default()).err().map_or("ok", |fault| fault.code)
}

#[test]
fn each_rule_accepts_its_limit_and_refuses_one_more() {
    let long = |n| "x".repeat(n);
    let cases = [
        (Event::new(EMAIL_SENT, long(128)).data_text("{}"), "ok"),
        (Event::new(EMAIL_SENT, long(129)).data_text("{}"), "tenant.syntax"),
        (Event::new(EMAIL_SENT, "").data_text("{}"), "tenant.syntax"),
        (Event::new(EMAIL_SENT, "a.b_c:D-9").data_text("{}"), "ok"),
        (Event::new(EMAIL_SENT, "t\0").data_text("{}"), "tenant.syntax"),
        (event().id(long(64)).data_text("{}"), "ok"),
        (event().id(long(65)).data_text("{}"), "id.syntax"),
        (event().id("").data_text("{}"), "id.syntax"),
        (event().id("a.b").data_text("{}"), "id.syntax"),
        (event().id_from([""]).data_text("{}"), "ok"),
        (event().id_from([""; 0]).data_text("{}"), "key.syntax"),
        (event().id_from([""; 0]).id("a").data_text("{}"), "ok"),
        (event().attribute(long(64), 1).data_text("{}"), "ok"),
        (event().attribute(long(65), 1).data_text("{}"), "attributes.name"),
        (event().attribute("", 1).data_text("{}"), "attributes.name"),
        (event().attribute("a\0", 1).data_text("{}"), "attributes.name"),
        (event().attribute("a", long(1024)).data_text("{}"), "ok"),
        (event().attribute("a", long(1025)).data_text("{}"), "attributes.value"),
        (event().attribute("a", "\"".repeat(513)).data_text("{}"), "attributes.value"),
        (event().attribute("a", "\0").data_text("{}"), "attributes.value"),
        (event().attribute("a", f64::NAN).data_text("{}"), "attributes.value"),
        ((0..50).fold(event(), |e, n| e.attribute(format!("a{n}"), n)).data_text("{}"), "ok"),
        (
            (0..51).fold(event(), |e, n| e.attribute(format!("a{n}"), n)).data_text("{}"),
            "attributes.count",
        ),
        (event().labels(vec!["l"; 50]).data_text("{}"), "ok"),
        (event().labels(vec!["l"; 51]).data_text("{}"), "labels.count"),
        (event().labels([long(256)]).data_text("{}"), "ok"),
        (event().labels([long(257)]).data_text("{}"), "labels.length"),
        (event().labels([""]).data_text("{}"), "labels.length"),
        (event().labels(["\0"]).data_text("{}"), "labels.syntax"),
        (event().ordering_key(long(256)).data_text("{}"), "ok"),
        (event().ordering_key(long(257)).data_text("{}"), "ordering_key.length"),
        (event().ordering_key("").data_text("{}"), "ordering_key.length"),
        (event().ordering_key("\0").data_text("{}"), "ordering_key.syntax"),
        (event().expires_after(Duration::from_micros(1)).data_text("{}"), "ok"),
        (event().expires_after(Duration::from_nanos(999)).data_text("{}"), "expires_after.range"),
        (event().expires_after(MAX_EXPIRES_AFTER).data_text("{}"), "ok"),
        (event().expires_after(Duration::MAX).data_text("{}"), "expires_after.range"),
    ];
    for (number, (event, expected)) in cases.iter().enumerate() {
        assert_eq!(code(event), *expected, "case {number}: {event:?}");
    }
}

#[test]
fn any_json_value_is_a_payload_and_nothing_else_is() {
    let deepest = format!("{}{}", "[".repeat(64), "]".repeat(64));
    let too_deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let cases = [
        ("null", "ok"),
        ("7", "ok"),
        ("\"text\"", "ok"),
        (" {\"a\" : 1}\n", "ok"),
        ("\"\\u0000\"", "ok"),
        ("\"[[[[{{{{\\\"[\"", "ok"),
        (deepest.as_str(), "ok"),
        (too_deep.as_str(), "payload.depth"),
        ("", "payload.syntax"),
        ("{}{}", "payload.syntax"),
        ("\"\0\"", "payload.syntax"),
        ("{}\0", "payload.syntax"),
        ("]]]]", "payload.syntax"),
        ("'a'", "payload.syntax"),
        ("01", "payload.syntax"),
        ("\u{feff}{}", "payload.bom"),
    ];
    for (text, expected) in cases {
        assert_eq!(code(&event().data_text(text)), expected, "{text}");
    }
}

#[test]
fn an_error_names_the_field_and_the_rule_but_not_the_value() {
    let fault = Event::new(EMAIL_SENT, "hunter2 hunter2")
        .data_text("{}")
        .validate(&Limits::default())
        .unwrap_err();
    assert_eq!(
        fault.to_string(),
        "tenant: must be 1 to 128 of A-Z a-z 0-9 . _ : - (tenant.syntax)"
    );
    assert_eq!(fault.in_batch(3).field, "events[3].tenant");
    let fault = event().data_text("{\"a\": hunter2}").validate(&Limits::default()).unwrap_err();
    assert_eq!(fault.to_string(), "data: not valid JSON, at line 1 column 7 (payload.syntax)");
}

#[test]
fn the_payload_limit_is_a_setting_within_bounds() {
    let event = event().data_text(format!("\"{}\"", "x".repeat(300_000)));
    assert_eq!(code(&event), "payload.size");
    let raised = Limits::with_data_bytes(1_048_576).unwrap();
    assert_eq!(event.validate(&raised), Ok(()));
    assert_eq!(Limits::with_data_bytes(1_048_577), None);
    assert_eq!(Limits::with_data_bytes(1023), None);
}

#[test]
fn only_a_valid_traceparent_is_kept() {
    let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let cases = [
        (valid, true),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false),
        ("", false),
        ("'; DROP TABLE", false),
    ];
    for (text, kept) in cases {
        let event = event().traceparent(text).data_text("{}");
        assert_eq!(event.traceparent(), kept.then_some(text), "{text}");
        assert_eq!(code(&event), "ok");
    }
}
