use deadpool_postgres::Object;
use postrider::{
    EMAIL_RECEIVED, Event, Outbox, PgTransaction, PublishError, Published, publish_tx, published,
};
use serde::Serialize;

use crate::stage::{STORE_MESSAGE, Stage, event, event_with};

#[tokio::test]
async fn commit_publishes() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    assert_eq!(stage.events().await, 0, "nobody sees it before the commit");
    tx.commit().await.unwrap();
    assert_eq!((stage.messages().await, stage.events().await), (1, 1));
}

#[tokio::test]
async fn rollback_publishes_nothing() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    tx.rollback().await.unwrap();
    assert_eq!((stage.messages().await, stage.events().await), (0, 0));
}

#[tokio::test]
async fn a_dropped_transaction_publishes_nothing() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    {
        let tx = client.transaction().await.unwrap();
        assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    }
    client.batch_execute("SELECT 1").await.unwrap();
    assert_eq!(stage.events().await, 0);
}

#[tokio::test]
async fn a_savepoint_rolled_back_publishes_nothing_of_its_own() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let mut tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event("kept")).await.unwrap(), Published::Inserted);
    let savepoint = tx.savepoint("s").await.unwrap();
    assert_eq!(publish_tx(&savepoint, &event("undone")).await.unwrap(), Published::Inserted);
    savepoint.rollback().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);
    assert_eq!(stage.count("postrider.webhook_events WHERE id = 'kept'").await, 1);
}

#[tokio::test]
async fn the_same_event_twice_is_a_duplicate_in_and_across_transactions() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Duplicate);
    tx.commit().await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Duplicate);
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);
}

#[tokio::test]
async fn an_event_without_a_key_is_a_duplicate_when_its_value_is_published_again() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let event = Event::of(EMAIL_RECEIVED).data_text("{}");
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event).await.unwrap(), Published::Inserted);
    assert_eq!(publish_tx(&tx, &event.clone()).await.unwrap(), Published::Duplicate);
}

#[tokio::test]
async fn the_same_id_with_other_content_is_a_conflict_that_leaves_the_first() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    assert_eq!(
        publish_tx(&tx, &event_with("e1", r#"{"n":1}"#)).await.unwrap(),
        Published::Inserted
    );
    for other in [
        event_with("e1", r#"{"n":2}"#),
        event_with("e1", r#"{"n": 1}"#),
        Event::new(EMAIL_RECEIVED, "t").id("e1").data_text(r#"{"n":1}"#),
        Event::new(postrider::EMAIL_SENT, "t").id("e1").attribute("a", 1).data_text(r#"{"n":1}"#),
    ] {
        assert_eq!(publish_tx(&tx, &other).await.unwrap(), Published::Conflict);
    }
    let stored = published(&tx, "e1").await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].parsed().data.get(), r#"{"n":1}"#);
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);
}

#[tokio::test]
async fn tenants_do_not_share_ids() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    for tenant in ["t1", "T1", "t2"] {
        let event = Event::new(EMAIL_RECEIVED, tenant).id_from(["m1"]).data_text("{}");
        assert_eq!(publish_tx(&tx, &event).await.unwrap(), Published::Inserted);
    }
}

#[tokio::test]
async fn in_strict_mode_a_conflict_is_an_error_and_the_transaction_goes_on() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let outbox = Outbox::new().strict();
    let tx = client.transaction().await.unwrap();
    assert_eq!(outbox.publish_tx(&tx, &event_with("e1", "1")).await.unwrap(), Published::Inserted);
    assert_eq!(outbox.publish_tx(&tx, &event_with("e1", "1")).await.unwrap(), Published::Duplicate);
    let error = outbox.publish_tx(&tx, &event_with("e1", "2")).await.unwrap_err();
    assert!(
        matches!(&error, PublishError::Conflict { tenant, id } if tenant == "t" && id == "e1"),
        "{error}"
    );
    assert!(!error.is_retryable());
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);
}

#[tokio::test]
async fn a_failing_strict_publish_leaves_nothing() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    stage
        .observer
        .batch_execute("ALTER TABLE postrider.webhook_events RENAME TO elsewhere")
        .await
        .unwrap();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    let error = publish_tx(&tx, &event("e1")).await.unwrap_err();
    assert!(matches!(error, PublishError::Database { .. }), "{error:?}");
    assert_eq!(error.sqlstate().map(|state| state.code()), Some("42P01"));
    assert!(!error.is_retryable());
    drop(tx);
    assert_eq!(stage.messages().await, 0);
    assert_eq!(stage.count("postrider.webhook_event_ids").await, 0);
}

#[tokio::test]
async fn an_invalid_event_is_refused_without_harming_the_transaction() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    let error =
        publish_tx(&tx, &Event::new(EMAIL_RECEIVED, "a tenant").data_text("{}")).await.unwrap_err();
    assert!(matches!(error, PublishError::Invalid(fault) if fault.code == "tenant.syntax"));
    tx.commit().await.unwrap();
    assert_eq!((stage.messages().await, stage.events().await), (1, 0));
}

#[tokio::test]
async fn every_part_of_an_event_is_stored() {
    #[derive(Serialize)]
    struct Payload {
        b: i32,
        a: f64,
    }
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let event = Event::new(EMAIL_RECEIVED, "acme")
        .id_from(["m1"])
        .attribute("agent_id", "a7")
        .attribute("score", 0.5)
        .labels(["vip", "say \"hi\""])
        .ordering_key("c9")
        .expires_after(std::time::Duration::from_millis(6_000_500))
        .traceparent(trace)
        .data(&Payload { b: 1, a: 100.0 })
        .unwrap();
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event).await.unwrap(), Published::Inserted);
    let stored = published(&tx, "email.received").await.unwrap();
    let [stored] = &stored[..] else { panic!("one event of this type") };
    assert_eq!(stored.id, "evt_4ceb14256434fce4567cf19595d33e56");
    assert_eq!((stored.tenant.as_str(), stored.event_type.as_str()), ("acme", "email.received"));
    assert_eq!(stored.attributes.as_ref().unwrap().to_string(), r#"{"agent_id":"a7","score":0.5}"#);
    assert_eq!(stored.labels, ["vip", "say \"hi\""]);
    assert_eq!(stored.ordering_key.as_deref(), Some("c9"));
    assert_eq!(stored.traceparent.as_deref(), Some(trace));
    let created_at = stored.parsed().created_at;
    let expected = format!(
        r#"{{"event":"email.received","id":"{}","created_at":"{created_at}","data":{{"b":1,"a":100.0}}}}"#,
        stored.id
    );
    assert_eq!(stored.envelope, expected);
    let age =
        "SELECT extract(epoch FROM expires_at - created_at)::text FROM postrider.webhook_events";
    assert_eq!(tx.query_one(age, &[]).await.unwrap().get::<_, &str>(0), "6000.500000");
}

#[tokio::test]
async fn deadpool_transactions_publish_with_and_without_a_kept_statement() {
    let stage = Stage::new().await;
    let pool = stage.pool(1);
    let mut client: Object = pool.get().await.unwrap();
    let unnamed = Outbox::new().unnamed_statements();
    let tx = client.transaction().await.unwrap();
    assert_eq!(unnamed.publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    assert_eq!(prepared_statements(&tx).await, 0);
    assert_eq!(publish_tx(&tx, &event("e2")).await.unwrap(), Published::Inserted);
    assert_eq!(publish_tx(&tx, &event("e3")).await.unwrap(), Published::Inserted);
    assert_eq!(prepared_statements(&tx).await, 1);
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 3);
}

async fn prepared_statements(tx: &deadpool_postgres::Transaction<'_>) -> i64 {
    let sql = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%publish_v1%'";
    tx.query_typed(sql, &[]).await.unwrap()[0].get(0)
}

/// Services publish from spawned tasks, so the futures must be `Send`; this only has to compile.
#[test]
fn publishing_can_be_spawned() {
    fn assert_send<T: Send>(_: T) {}
    fn in_any_transaction<T: PgTransaction>(mut tx: T, event: &Event) {
        assert_send(publish_tx(&tx, event));
        assert_send(postrider::publish_many_tx(&tx, std::slice::from_ref(event)));
        assert_send(postrider::publish_best_effort_tx(&mut tx, event));
        assert_send(postrider::checked_commit(tx));
    }
    let _ = in_any_transaction::<tokio_postgres::Transaction<'_>>;
    let _ = in_any_transaction::<deadpool_postgres::Transaction<'_>>;
}
