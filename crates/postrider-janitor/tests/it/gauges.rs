//! What operators watch, and the vacuum that keeps it so.

use postrider_janitor::{gauges, vacuum};
use postrider_runtime::Metrics;
use postrider_store::vacuum::{HotTable, dead_rows};

use crate::Stage;

#[tokio::test]
async fn gauges_show_backlog_and_lag() {
    let stage = Stage::set().await;
    let metrics = Metrics::new();
    gauges::pass(&stage.db, &metrics).await.expect("the database answers");
    assert_eq!((metrics.pending_events.get(), metrics.due_lag.get()), (0, 0.0));

    stage.publish(7).await;
    stage.owe("clock_timestamp() - interval '30 seconds'", 0).await;
    stage.execute("UPDATE postrider.webhook_events_pending SET created_at = created_at - interval '1 minute'").await;
    let sample = gauges::pass(&stage.db, &metrics).await.expect("the database answers");
    assert_eq!(metrics.pending_events.get(), 7);
    assert!((30.0..60.0).contains(&sample.due_lag), "{sample:?}");
    assert!((60.0..90.0).contains(&sample.oldest_pending), "{sample:?}");
    assert!((sample.sampled_at - metrics.sampled_at.get()).abs() < f64::EPSILON);
}

#[tokio::test]
async fn what_waits_for_others_of_its_batch_is_not_late() {
    let stage = Stage::set().await;
    let metrics = Metrics::new();
    stage.publish(1).await;
    stage.owe("clock_timestamp() - interval '30 seconds'", 0).await;
    stage
        .execute(
            "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, batch_max_events, batch_max_wait_ms, batch_max_bytes, batch_encoding)
             SELECT d.endpoint_id, d.tenant_id, 'https://example.com/', '{*}', 100, 40000, 1024, 'array' FROM postrider.webhook_deliveries_open d",
        )
        .await;
    let sample = gauges::pass(&stage.db, &metrics).await.expect("the database answers");
    assert!((-10.0..0.0).contains(&sample.due_lag), "{sample:?}");
}

#[tokio::test]
async fn an_old_snapshot_is_seen() {
    let stage = Stage::set().await;
    let metrics = Metrics::new();
    let holder = stage.test.client().await;
    holder
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        .await
        .expect("holds a snapshot");
    gauges::pass(&stage.db, &metrics).await.expect("the database answers");
    assert!(metrics.oldest_snapshot.get() > 0.0);
}

#[tokio::test]
async fn dead_rows_are_vacuumed_away() {
    let stage = Stage::set().await;
    stage
        .test
        .execute(
            "ALTER TABLE postrider.webhook_events_pending SET (autovacuum_enabled = off);
             INSERT INTO postrider.webhook_events_pending (seq, created_at, next_attempt_at, bytes, keyed)
             SELECT n, clock_timestamp(), clock_timestamp(), 1, false FROM generate_series(1, 12000) n;
             DELETE FROM postrider.webhook_events_pending",
        )
        .await;
    let mut dead = 0;
    for _ in 0..2000 {
        // The statistics of a session arrive when it has ended.
        dead = dead_rows(&stage.db).await.expect("the database answers")[0];
        if dead >= vacuum::THRESHOLD {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(dead >= vacuum::THRESHOLD, "only {dead} dead rows are known");
    let mut janitor = vacuum::Vacuum::default();
    let pass = janitor.pass(&stage.db).await.expect("the database answers");
    assert_eq!(pass.vacuumed, [HotTable::Pending], "{pass:?}");
    assert_eq!(dead_rows(&stage.db).await.expect("the database answers")[0], 0);
    assert!(janitor.pass(&stage.db).await.expect("the database answers").vacuumed.is_empty());
}
