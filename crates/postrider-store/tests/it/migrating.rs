//! Migrating: from nothing, twice, at the same time, by hand, and not backwards.

use std::time::{Duration, Instant};

use postrider_store::migrations::{self, SchemaState};
use postrider_testkit::TestDb;
use tokio::task::JoinSet;

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

#[tokio::test]
async fn waits_of_existing_endpoints_become_milliseconds_and_workers_are_told() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let as_before = "ALTER TABLE postrider.webhook_endpoints DROP COLUMN skip_after, DROP COLUMN ordering;
        ALTER TABLE postrider.webhook_endpoints RENAME COLUMN retry_schedule_ms TO retry_schedule;
        ALTER TABLE postrider.webhook_endpoints RENAME CONSTRAINT webhook_endpoints_retry_schedule_ms_check TO webhook_endpoints_retry_schedule_check;
        INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, retry_schedule) VALUES
            (gen_random_uuid(), 'own', 'https://example.com/', '{*}', '{5,300,604800,2147483647}'),
            (gen_random_uuid(), 'default', 'https://example.com/', '{*}', NULL)";
    client.batch_execute(as_before).await.unwrap();
    client.batch_execute(include_str!("../../../../migrations/V8__ordering.sql")).await.unwrap();
    let sql = "SELECT e.retry_schedule_ms, v.version FROM postrider.webhook_endpoints e
               JOIN postrider.webhook_routing_versions v USING (tenant_id) ORDER BY tenant_id";
    let rows = client.query(sql, &[]).await.unwrap();
    let found: Vec<(Option<Vec<i32>>, i64)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let week = 604_800_000;
    assert_eq!(found, [(None, 1), (Some(vec![5_000, 300_000, week, week]), 2)]);
}

#[tokio::test]
async fn a_migration_that_waits_for_a_table_in_use_keeps_nobody_off_it_for_long() {
    let db = TestDb::empty().await;
    let (mut migrating, mut reading, writing) =
        (db.client().await, db.client().await, db.client().await);
    // All that is older than the one that waits.
    let script = migrations::print();
    let (older, rest) = script.split_once("\n-- V12__warned_at\n").unwrap();
    writing.batch_execute(older).await.unwrap();
    // Somebody's long report.
    let report = reading.transaction().await.unwrap();
    report.query("SELECT FROM postrider.webhook_endpoint_health", &[]).await.unwrap();
    let mut up = JoinSet::new();
    up.spawn(async move { migrations::up(&mut migrating).await });
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(4) {
        let asked = Instant::now();
        let write = "UPDATE postrider.webhook_endpoint_health SET revision = revision + 1";
        writing.batch_execute(write).await.unwrap();
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(longest < Duration::from_millis(1500), "a worker waited {longest:?}");
    assert!(up.try_join_next().is_none(), "it cannot have been done yet");
    report.rollback().await.unwrap();
    let applied = tokio::time::timeout(Duration::from_secs(20), up.join_next()).await;
    let applied = applied.expect("it comes back").expect("there is one").unwrap();
    let applied = applied.unwrap();
    assert_eq!(applied[0], "V12__warned_at");
    assert_eq!(applied.len(), 1 + rest.matches("\n-- V").count(), "{applied:?}");
}
