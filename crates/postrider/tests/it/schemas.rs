//! Payloads against the catalog, with the rights of a publisher.

use std::io::Write;
use std::sync::{Arc, Mutex};

use postrider::{BestEffort, Event, EventType, Outbox, PublishError, Published};

use crate::stage::{STORE_MESSAGE, Stage};

const SCHEMA: &str = r##"{"type":"object","required":["user"],"properties":{"user":{"$ref":"#/$defs/user"}},
    "$defs":{"user":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}}}"##;

async fn declare(stage: &Stage, name: &str, schema: &str, check: &str) {
    let sql = "INSERT INTO postrider.webhook_event_types (name, schema, schema_check) VALUES ($1, $2::text::json, $3)
        ON CONFLICT (name) DO UPDATE SET schema = excluded.schema, schema_check = excluded.schema_check";
    stage.observer.execute(sql, &[&name, &schema, &check]).await.unwrap();
}

fn event(name: &str, id: &str, data: &str) -> Event {
    Event::new(EventType::parse(name).unwrap(), "t").id(id).data_text(data)
}

fn invalid(error: PublishError) -> (String, &'static str, String) {
    match error {
        PublishError::Invalid(fault) => (fault.field, fault.code, fault.detail),
        other => panic!("{other:?}"),
    }
}

const GOOD: &str = r#"{"user":{"id":1}}"#;
const BAD: &str = r#"{"user":{"id":"s3cret"}}"#;

#[tokio::test]
async fn an_enforced_schema_refuses_in_the_transaction_which_goes_on() {
    let stage = Stage::new().await;
    declare(&stage, "user.made", SCHEMA, "enforce").await;
    let mut client = stage.publisher().await;
    let outbox = Outbox::new().check_schemas();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    let refused = outbox.publish_tx(&tx, &event("user.made", "bad", BAD)).await.unwrap_err();
    assert!(!refused.is_retryable() && refused.sqlstate().is_none());
    let (field, code, detail) = invalid(refused);
    assert_eq!(
        (&*field, code, &*detail),
        ("data/user/id", "payload.schema", "must be of type integer")
    );
    let missing = outbox.publish_tx(&tx, &event("user.made", "bad", "{}")).await.unwrap_err();
    assert_eq!(invalid(missing).0, "data/user");
    // Good ones, and types that nobody declared, go on in the same transaction.
    for (name, data) in [("user.made", GOOD), ("user.other", BAD)] {
        let published =
            outbox.publish_tx(&tx, &event(name, name.trim_start_matches("user."), data)).await;
        assert_eq!(published.unwrap(), Published::Inserted, "{name}");
    }
    postrider::checked_commit(tx).await.unwrap();
    assert_eq!((stage.messages().await, stage.events().await), (1, 2));
    assert_eq!(stage.count("postrider.webhook_event_ids WHERE id = 'bad'").await, 0);
    // Who did not ask for it is not checked.
    let tx = client.transaction().await.unwrap();
    let unchecked = Outbox::new().publish_tx(&tx, &event("user.made", "bad", BAD)).await;
    assert_eq!(unchecked.unwrap(), Published::Inserted);
}

#[tokio::test]
async fn a_changed_schema_counts_from_the_next_event_on_every_kind_of_connection() {
    let stage = Stage::new().await;
    let mut plain = stage.publisher().await;
    let mut pooled = stage.pool(1).get().await.unwrap();
    let outbox = Outbox::new().check_schemas();
    for (check, schema, passes) in [
        ("enforce", SCHEMA, false),
        ("off", SCHEMA, true),
        ("report", SCHEMA, true),
        ("enforce", r#"{"type":"object"}"#, true),
        ("enforce", r#"{"type":"array"}"#, false),
    ] {
        declare(&stage, "user.made", schema, check).await;
        for id in ["e1", "e2"] {
            let tx = plain.transaction().await.unwrap();
            let published = outbox.publish_tx(&tx, &event("user.made", id, BAD)).await;
            assert_eq!(published.is_ok(), passes, "{check} {schema}");
            drop(tx);
            let tx = pooled.transaction().await.unwrap();
            let published = outbox.publish_tx(&tx, &event("user.made", id, BAD)).await;
            assert_eq!(published.is_ok(), passes, "{check} {schema}, pooled");
        }
    }
}

#[tokio::test]
async fn of_many_none_is_published_if_one_does_not_fit() {
    let stage = Stage::new().await;
    declare(&stage, "user.made", SCHEMA, "enforce").await;
    let mut client = stage.publisher().await;
    let outbox = Outbox::new().check_schemas();
    let tx = client.transaction().await.unwrap();
    let events = [
        event("user.other", "e1", BAD),
        event("user.made", "e2", GOOD),
        event("user.made", "e3", BAD),
    ];
    let refused = outbox.publish_many_tx(&tx, &events).await.unwrap_err();
    assert_eq!(invalid(refused).0, "events[2].data/user/id");
    assert_eq!(outbox.publish_many_tx(&tx, &events[..2]).await.unwrap(), [Published::Inserted; 2]);
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 2);
}

#[tokio::test]
async fn best_effort_keeps_the_callers_row_and_says_why_it_failed() {
    let stage = Stage::new().await;
    declare(&stage, "user.made", SCHEMA, "enforce").await;
    let mut client = stage.publisher().await;
    let outbox = Outbox::new().check_schemas().record_failures(stage.pool(1));
    let mut tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    tx.batch_execute("SET LOCAL lock_timeout = '7s'").await.unwrap();
    let bad = outbox.publish_best_effort_tx(&mut tx, &event("user.made", "e1", BAD)).await;
    assert!(matches!(bad, BestEffort::Failed(PublishError::Invalid(_))), "{bad:?}");
    let good = outbox.publish_best_effort_tx(&mut tx, &event("user.made", "e2", GOOD)).await;
    assert!(matches!(good, BestEffort::Done(Published::Inserted)), "{good:?}");
    let timeout = tx.query_one("SHOW lock_timeout", &[]).await.unwrap();
    assert_eq!(timeout.get::<_, String>(0), "7s");
    postrider::checked_commit(tx).await.unwrap();
    assert_eq!((stage.messages().await, stage.events().await), (1, 1));
    let failures = stage.failures().await;
    assert!(
        failures[0].3.contains("data/user/id") && !failures[0].3.contains("s3cret"),
        "{failures:?}"
    );
}

/// Where a test reads what was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reported_schema_lets_the_event_pass_and_logs_where_it_is_wrong() {
    let stage = Stage::new().await;
    declare(&stage, "user.made", SCHEMA, "report").await;
    let mut client = stage.publisher().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let outbox = Outbox::new().check_schemas();
    let tx = client.transaction().await.unwrap();
    for (id, data) in [("e1", GOOD), ("e2", BAD)] {
        let published = outbox.publish_tx(&tx, &event("user.made", id, data)).await.unwrap();
        assert_eq!(published, Published::Inserted);
    }
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 2);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in ["WARN", "event.type=\"user.made\"", "event.id=\"e2\"", "data/user/id"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}
