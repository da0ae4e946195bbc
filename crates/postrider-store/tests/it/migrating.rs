//! Migrating: from nothing, twice, at the same time, by hand, and not backwards.

use postrider_store::migrations::{self, SchemaState};
use postrider_testkit::TestDb;

#[tokio::test]
async fn an_empty_database_is_migrated_once_and_a_second_run_changes_nothing() {
    let db = TestDb::empty().await;
    let mut client = db.client().await;
    assert_eq!(migrations::state(&client).await.unwrap(), SchemaState::Missing);
    let applied = migrations::up(&mut client).await.unwrap();
    assert_eq!(applied.len(), migrations::list(&client).await.unwrap().len());
    assert_eq!(
        migrations::state(&client).await.unwrap(),
        SchemaState::Current { version: migrations::wanted() }
    );
    assert!(migrations::up(&mut client).await.unwrap().is_empty());
}

#[tokio::test]
async fn concurrent_starts_wait_for_each_other() {
    let db = TestDb::empty().await;
    let (mut one, mut two) = (db.client().await, db.client().await);
    let (first, second) = tokio::join!(migrations::up(&mut one), migrations::up(&mut two));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.is_empty() != second.is_empty(), "one did it all: {first:?} {second:?}");
}

#[tokio::test]
async fn the_printed_script_makes_a_schema_that_counts_as_current() {
    let db = TestDb::empty().await;
    let mut client = db.client().await;
    client.batch_execute(&migrations::print()).await.unwrap();
    assert_eq!(
        migrations::state(&client).await.unwrap(),
        SchemaState::Current { version: migrations::wanted() }
    );
    assert!(
        migrations::up(&mut client).await.unwrap().is_empty(),
        "and `migrate up` agrees, checksums included"
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let db = TestDb::new().await;
    let mut client = db.client().await;
    client
        .batch_execute("INSERT INTO postrider.schema_history (version, name, applied_on, checksum) VALUES (9999, 'later', '2030-01-01T00:00:00Z', '1')")
        .await
        .unwrap();
    assert!(matches!(
        migrations::state(&client).await.unwrap(),
        SchemaState::Newer { version: 9999, .. }
    ));
    let refusal = migrations::up(&mut client).await.unwrap_err().to_string();
    assert!(refusal.contains("version 9999") && refusal.contains("newer binary"), "{refusal}");
}
