use postrider::{BestEffort, Outbox, Published};

use crate::stage::{STORE_MESSAGE, Stage, event};

#[tokio::test]
async fn execute_rights_are_enough_for_the_library() {
    let stage = Stage::new().await;
    let mut client = stage.publisher().await;
    let outbox = Outbox::new();
    let mut tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    assert_eq!(outbox.publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    assert_eq!(
        outbox.publish_many_tx(&tx, &[event("e1"), event("e2")]).await.unwrap(),
        [Published::Duplicate, Published::Inserted]
    );
    let answer = outbox.publish_best_effort_tx(&mut tx, &event("e3")).await;
    assert!(matches!(answer, BestEffort::Done(Published::Inserted)), "{answer:?}");
    postrider::checked_commit(tx).await.unwrap();
    assert_eq!((stage.messages().await, stage.events().await), (1, 3));
}

#[tokio::test]
async fn execute_rights_are_enough_to_record_a_failure() {
    let stage = Stage::new().await;
    let mut as_publisher = stage.db.config();
    as_publisher.options("-c role=postrider_publisher");
    let manager = deadpool_postgres::Manager::new(as_publisher, tokio_postgres::NoTls);
    let outbox =
        Outbox::new().record_failures(deadpool_postgres::Pool::builder(manager).build().unwrap());
    let mut client = stage.publisher().await;
    let mut tx = client.transaction().await.unwrap();
    let answer = outbox.publish_best_effort_tx(&mut tx, &event("not an id")).await;
    assert!(matches!(answer, BestEffort::Failed(_)), "{answer:?}");
    drop(tx);
    assert_eq!(stage.failures().await.len(), 1);
}

#[tokio::test]
async fn a_publisher_can_read_and_write_no_table() {
    let stage = Stage::new().await;
    let client = stage.publisher().await;
    let tables = stage
        .observer
        .query("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'postrider'", &[])
        .await
        .unwrap();
    assert!(!tables.is_empty());
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        for sql in [format!("SELECT FROM {table}"), format!("DELETE FROM {table}")] {
            let error = client.batch_execute(&sql).await.expect_err(&sql);
            assert_eq!(error.code().map(|state| state.code()), Some("42501"), "{sql}");
        }
    }
}
