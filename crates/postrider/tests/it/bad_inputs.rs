//! The cases of `bad_inputs.json` that need a database: one id published twice, and payloads that a JSON document type
//! would refuse or rewrite.

use postrider::{EMAIL_SENT, Event, Published, publish_tx, published};

use crate::stage::{Stage, event_with};

#[tokio::test]
async fn id_007_and_008_the_second_publish_of_an_id_is_judged_by_its_payload() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    assert_eq!(
        publish_tx(&tx, &event_with("e1", r#"{"n":1}"#)).await.unwrap(),
        Published::Inserted
    );
    assert_eq!(
        publish_tx(&tx, &event_with("e1", r#"{"n":1}"#)).await.unwrap(),
        Published::Duplicate
    );
    assert_eq!(
        publish_tx(&tx, &event_with("e1", r#"{"n":2}"#)).await.unwrap(),
        Published::Conflict
    );
}

#[tokio::test]
async fn accepted_payloads_are_stored_byte_for_byte() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    let deepest = format!("{}{{}}{}", "{\"a\":".repeat(63), "}".repeat(63));
    let largest = format!("{{\"a\":\"{}\"}}", "x".repeat(262_136));
    let payloads = [
        r#"{"a":"\ud83e\udd94"}"#,
        r#"{"a":"\ud83e"}"#,
        r#"{"a":"\u0000"}"#,
        r#"{"a":1e131071}"#,
        r#"{"a":1e400}"#,
        r#"{"a":9007199254740993}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"b":1,"a":2}"#,
        r#"{"__proto__":{"admin":true}}"#,
        r#"{"a":"<script>\u001b[31m"}"#,
        " [ -0 , 1E2 ]\t\r\n",
        "7",
        "null",
        "\"\u{2028}\u{7f}🦔\"",
        &deepest,
        &largest,
    ];
    for payload in payloads {
        let event = Event::of(EMAIL_SENT).data_text(payload);
        assert_eq!(publish_tx(&tx, &event).await.unwrap(), Published::Inserted, "{payload:.80}");
        let stored = published(&tx, event.id()).await.unwrap();
        assert!(stored[0].envelope.ends_with(&format!(",\"data\":{payload}}}")), "{payload:.80}");
    }
}
