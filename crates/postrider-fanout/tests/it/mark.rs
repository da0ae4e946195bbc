//! An old snapshot keeps the dead entries of the queue; claims then start at a mark, and still find who commits late.

use std::time::{Duration, Instant};

use postrider_fanout::{FanOut, NoHandOff};

use crate::stage::{Stage, options, publish};

/// Enough for an empty scan to be slow (5 ms), on any machine.
const DEAD: i64 = 100_000;
/// How far the mark lags behind what was claimed.
const LAG: Duration = Duration::from_secs(10);
/// Full scans come at a hundred times their cost; on a busy machine that is long.
const FULL_SCAN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_lagging_mark_under_a_pinned_snapshot_still_finds_a_late_committer() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    let (mut late_session, mut pin_session) = (stage.db.client().await, stage.db.client().await);
    let late = late_session.transaction().await.unwrap();
    publish(&late, "late").await;
    let pin = pin_session.build_transaction();
    let pin = pin.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
    let pin = pin.start().await.unwrap();
    pin.batch_execute("SELECT FROM postrider.webhook_events_pending").await.unwrap();

    // What a busy hour leaves in the queue while that snapshot lives.
    let busy_hour = format!(
        "INSERT INTO postrider.webhook_events_pending (seq, created_at, next_attempt_at, bytes, keyed)
         SELECT 1000 + i, clock_timestamp(), clock_timestamp(), 100, false FROM generate_series(1, {DEAD}) i;
         DELETE FROM postrider.webhook_events_pending WHERE seq > 1000;
         SELECT setval(pg_get_serial_sequence('postrider.webhook_event_ids', 'seq'), 1000 + {DEAD})"
    );
    stage.client.batch_execute(&busy_hour).await.unwrap();
    stage.publish("high").await;
    let mut fan_out = stage.fan_out(options());
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    assert_eq!(stage.owed(endpoint).await, ["high"]);

    tokio::time::sleep(LAG).await;
    until_passes_are_quick_but_one(&mut fan_out).await;
    late.commit().await.unwrap();
    let committed = Instant::now();
    while fan_out.pass().await.unwrap().fanned_out == 0 {
        assert!(committed.elapsed() < FULL_SCAN, "the late committer is not found");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(stage.owed(endpoint).await, ["late", "high"]);
    pin.rollback().await.unwrap();
}

/// Makes empty passes until there was one that took long, from the beginning, and after it a quick one, from the mark.
async fn until_passes_are_quick_but_one(fan_out: &mut FanOut<NoHandOff>) {
    let (started, mut slowest) = (Instant::now(), Duration::ZERO);
    loop {
        let begun = Instant::now();
        assert_eq!(fan_out.pass().await.unwrap().claimed, 0);
        let took = begun.elapsed();
        if took * 3 < slowest {
            return;
        }
        slowest = slowest.max(took);
        assert!(started.elapsed() < FULL_SCAN, "every pass takes {took:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
