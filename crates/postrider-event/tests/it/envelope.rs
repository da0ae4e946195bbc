use postrider_event::Envelope;

#[test]
fn the_payload_survives_parsing_byte_for_byte() {
    let data = r#"{"b":1,"a":1E2,"a":9007199254740993,"s":"\u0000\ud83e"}"#;
    let body = format!(
        r#"{{"event":"email.sent","id":"evt_1","created_at":"2026-01-02T03:04:05.678901Z","data":{data}}}"#
    );
    let envelope = Envelope::parse(body.as_bytes()).expect("an envelope");
    assert_eq!((envelope.event.as_str(), envelope.id.as_str()), ("email.sent", "evt_1"));
    assert_eq!(envelope.data.get(), data);
    assert_eq!(serde_json::to_string(&envelope).expect("it serialises"), body);
}

#[test]
fn unknown_keys_are_ignored_and_missing_ones_are_not() {
    assert!(
        Envelope::parse(br#"{"event":"a","id":"b","created_at":"c","data":null,"later":1}"#)
            .is_ok()
    );
    assert!(Envelope::parse(br#"{"event":"a","id":"b","created_at":"c"}"#).is_err());
    assert!(Envelope::parse(b"not JSON").is_err());
}
