//! An old snapshot keeps the dead entries of the queue; claims then start at a mark, and still find who commits late.

use std::time::{Duration, Instant};

use crate::stage::{PATIENCE, Stage, options, publish};

/// Enough for an empty scan to be slow (5 ms), on any machine.
const DEAD: i64 = 150_000;
/// How far the mark lags behind what was claimed.
const LAG: Duration = Duration::from_secs(10);

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
    let slow = time_of_a_pass(&mut fan_out).await;
    let quick = time_of_a_pass(&mut fan_out).await.min(time_of_a_pass(&mut fan_out).await);
    assert!(quick * 3 < slow, "from the mark a pass takes {quick:?}, from the beginning {slow:?}");

    late.commit().await.unwrap();
    let committed = Instant::now();
    while fan_out.pass().await.unwrap().fanned_out == 0 {
        assert!(committed.elapsed() < PATIENCE, "the late committer is not found");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(stage.owed(endpoint).await, ["late", "high"]);
    // With the snapshot gone and the queue clean, claims start at the beginning again.
    pin.rollback().await.unwrap();
}

/// How long an empty pass takes.
async fn time_of_a_pass(
    fan_out: &mut postrider_fanout::FanOut<postrider_fanout::NoHandOff>,
) -> Duration {
    let started = Instant::now();
    assert_eq!(fan_out.pass().await.unwrap().claimed, 0);
    started.elapsed()
}
