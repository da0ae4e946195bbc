use postrider::Published::{Conflict, Duplicate, Inserted};
use postrider::{EMAIL_SENT, Event, Outbox, PublishError, publish_many_tx, publish_tx, published};

use crate::stage::{Stage, event, event_with};

#[tokio::test]
async fn a_batch_answers_for_each_event_in_the_callers_order() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event_with("old", "1")).await.unwrap(), Inserted);
    let events = [
        event("z"),
        event("a"),
        event("z"),
        event_with("z", "[]"),
        event_with("old", "2"),
        event_with("old", "1"),
        Event::new(EMAIL_SENT, "another").id("z").data_text("{}"),
    ];
    let expected = [Inserted, Inserted, Duplicate, Conflict, Conflict, Duplicate, Inserted];
    assert_eq!(publish_many_tx(&tx, &events).await.unwrap(), expected);
    let expected = [Duplicate, Duplicate, Duplicate, Conflict, Conflict, Duplicate, Duplicate];
    assert_eq!(publish_many_tx(&tx, &events).await.unwrap(), expected);
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 4);
}

#[tokio::test]
async fn an_empty_batch_is_no_statement() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    assert!(tx.batch_execute("SELECT 1/0").await.is_err(), "now any SQL would fail");
    assert_eq!(publish_many_tx(&tx, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn one_invalid_event_keeps_the_whole_batch_from_the_database() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    let error =
        publish_many_tx(&tx, &[event("a"), event("b"), event_with("c", "{")]).await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Invalid(fault) if fault.field == "events[2].data" && fault.code == "payload.syntax"),
        "{error:?}"
    );
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 0);
}

#[tokio::test]
async fn in_strict_mode_a_conflict_fails_the_batch() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    let error = Outbox::new()
        .strict()
        .publish_many_tx(&tx, &[event("a"), event_with("a", "1")])
        .await
        .unwrap_err();
    assert!(matches!(&error, PublishError::Conflict { id, .. } if id == "a"), "{error:?}");
}

#[tokio::test]
async fn a_batch_keeps_every_part_of_its_events() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let full = |id: &str| {
        Event::new(EMAIL_SENT, "t")
            .id(id)
            .attribute("quote", "\"\\{},")
            .labels(["a,b", "NULL", "{\"\\}", " 🦔 "])
            .ordering_key("k")
            .expires_after(std::time::Duration::from_secs(60))
            .traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .data_text("{ \"b\": 1e2,\"a\":\"\\u0000\" }")
    };
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &full("one")).await.unwrap(), Inserted);
    let batch = [full("two"), event("bare"), full("one")];
    let expected = [Inserted, Inserted, Duplicate];
    assert_eq!(publish_many_tx(&tx, &batch).await.unwrap(), expected);
    let [one, two] = [
        published(&tx, "one").await.unwrap().remove(0),
        published(&tx, "two").await.unwrap().remove(0),
    ];
    assert_eq!(one.labels, ["a,b", "NULL", "{\"\\}", " 🦔 "]);
    assert_eq!(
        (one.labels, one.attributes, one.ordering_key),
        (two.labels, two.attributes, two.ordering_key)
    );
    assert_eq!(one.traceparent, two.traceparent);
    assert!(
        two.envelope.ends_with(",\"data\":{ \"b\": 1e2,\"a\":\"\\u0000\" }}"),
        "{}",
        two.envelope
    );
    let bare = published(&tx, "bare").await.unwrap().remove(0);
    assert_eq!(
        (bare.labels.len(), bare.attributes, bare.ordering_key, bare.traceparent),
        (0, None, None, None)
    );
}

#[tokio::test]
async fn two_batches_in_opposite_order_do_not_deadlock() {
    let stage = Stage::new().await;
    let ids: Vec<String> = (0..200).map(|n| format!("e{n:03}")).collect();
    let forwards: Vec<Event> = ids.iter().map(|id| event(id)).collect();
    let backwards: Vec<Event> = ids.iter().rev().map(|id| event(id)).collect();
    let (mut first, mut second) = (stage.client().await, stage.client().await);
    for _ in 0..10 {
        let publish = async |client: &mut tokio_postgres::Client, events: &[Event]| {
            let tx = client.transaction().await.unwrap();
            let answers = publish_many_tx(&tx, events).await.unwrap();
            tx.commit().await.unwrap();
            answers.iter().filter(|answer| answer.is_inserted()).count()
        };
        let (a, b) = tokio::join!(publish(&mut first, &forwards), publish(&mut second, &backwards));
        assert_eq!(a + b, 200, "each event is written by one of them");
        let empty = "TRUNCATE postrider.webhook_event_ids, postrider.webhook_events, postrider.webhook_events_pending";
        stage.observer.batch_execute(empty).await.unwrap();
    }
}
