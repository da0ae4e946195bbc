//! A worker that has nothing to do sleeps, and whoever publishes wakes it: at once, always, and only where it is needed.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::stage::{PATIENCE, PENDING, Stage, publish};
use crate::watcher::{WAKEUP, Watcher};
use crate::worker::{NEVER, Worker};

const ROUNDS: u64 = 60;
const PUBLISHERS: u64 = 5;
/// From the last commit to the claim of everything.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A number below `bound`, the same in every run.
fn dice(round: u64, publisher: u64, throw: u64, bound: u64) -> u64 {
    let mut x = (round << 20) ^ (publisher << 10) ^ throw ^ 0x9e37_79b9_7f4a_7c15;
    for _ in 0..3 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x % bound
}

/// After a pause, publishes in a transaction that may stay open for a while.
async fn publisher(mut session: Client, round: u64, number: u64) -> Client {
    let pause = |throw, most| Duration::from_micros(dice(round, number, throw, most));
    tokio::time::sleep(pause(1, 8_000)).await;
    let tx = session.transaction().await.unwrap();
    publish(&tx, &format!("e{round}_{number}")).await;
    if dice(round, number, 2, 3) == 0 {
        tokio::time::sleep(pause(3, 15_000)).await;
    }
    tx.commit().await.unwrap();
    session
}

/// Each round waits for its own events: a knock that is lost in one is not made good by the next one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_publishes_wakes_a_sleeping_worker_at_once() {
    let stage = Stage::new().await;
    let worker = Worker::listening(&stage, "sleeper", NEVER).await;
    let mut sessions = Vec::new();
    for _ in 0..PUBLISHERS {
        sessions.push(stage.db.client().await);
    }
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let mut publishing = JoinSet::new();
        for (number, session) in (0..).zip(sessions.drain(..)) {
            publishing.spawn(publisher(session, round, number));
        }
        sessions = publishing.join_all().await;
        let committed = Instant::now();
        stage.becomes(PENDING, 0).await;
        slowest = slowest.max(committed.elapsed());
    }
    assert!(slowest <= AT_ONCE, "one was claimed only after {slowest:?}");
    worker.retire().await;
}

#[tokio::test]
async fn a_sleeping_worker_is_knocked_for_and_sleeps_again() {
    let mut stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let worker = Worker::listening(&stage, "sleeper", NEVER).await;
    for knocks in 1..=3 {
        watcher.until_held(WAKEUP, "sleeper").await;
        stage.publish(&format!("e{knocks}")).await;
        stage.becomes(PENDING, 0).await;
        assert_eq!(watcher.heard().await, knocks);
    }
    worker.retire().await;
    assert_eq!(watcher.holders(WAKEUP).await, [""; 0]);
}

#[tokio::test]
async fn a_transaction_that_stays_open_keeps_the_worker_polling_and_is_found_after_its_commit() {
    let mut stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let mut session = stage.db.client().await;
    let tx = session.transaction().await.unwrap();
    publish(&tx, "slow").await; // no worker sleeps yet, so it will not knock
    let worker = Worker::listening(&stage, "sleeper", NEVER).await;
    for quick in ["a", "b", "c"] {
        // Others are found by the poll meanwhile, also when it has become less frequent, after a second.
        stage.publish(quick).await;
        stage.becomes(PENDING, 0).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!watcher.holders(WAKEUP).await.contains(&"sleeper".to_owned()));
    }
    tx.commit().await.unwrap();
    let committed = Instant::now();
    let found = "SELECT count(*) FROM postrider.webhook_event_ids i WHERE i.id = 'slow' AND NOT EXISTS (SELECT FROM postrider.webhook_events_pending p WHERE p.seq = i.seq)";
    stage.becomes(found, 1).await;
    assert!(committed.elapsed() <= AT_ONCE);
    watcher.until_held(WAKEUP, "sleeper").await;
    assert_eq!(watcher.heard().await, 0, "all were found by polling");
    worker.retire().await;
}

#[tokio::test]
async fn a_best_effort_publish_does_not_knock_and_is_found_by_the_poll() {
    let stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let worker = Worker::listening(&stage, "sleeper", Duration::from_millis(200)).await;
    watcher.until_held(WAKEUP, "sleeper").await;
    let row = stage
        .client
        .query_one("SELECT outcome FROM postrider.publish_best_effort('order.paid', 'acme')", &[])
        .await;
    assert_eq!(row.unwrap().get::<_, String>(0), "inserted");
    stage.becomes(PENDING, 0).await;
    assert_eq!(watcher.heard().await, 0);
    worker.retire().await;
}

#[tokio::test]
async fn with_the_wakeup_switched_off_a_publish_takes_no_lock_and_does_not_knock() {
    let stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let mut session = stage.db.client().await;

    // No worker: a publisher holds the lock shared until its end, unless it is told not to.
    let tx = session.transaction().await.unwrap();
    publish(&tx, "on").await;
    assert_eq!(watcher.holders(WAKEUP).await.len(), 1);
    tx.rollback().await.unwrap();
    session.batch_execute("SET postrider.wakeup = off").await.unwrap();
    let tx = session.transaction().await.unwrap();
    publish(&tx, "off").await;
    assert_eq!(watcher.holders(WAKEUP).await, [""; 0]);
    tx.rollback().await.unwrap();

    // A worker that sleeps: nobody knocks, the poll finds it.
    let worker = Worker::listening(&stage, "sleeper", Duration::from_millis(300)).await;
    watcher.until_held(WAKEUP, "sleeper").await;
    let tx = session.transaction().await.unwrap();
    publish(&tx, "off").await;
    tx.commit().await.unwrap();
    stage.becomes(PENDING, 0).await;
    assert_eq!(watcher.heard().await, 0);
    worker.retire().await;
}

#[tokio::test]
async fn a_worker_that_only_polls_never_makes_publishers_knock() {
    let mut stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let worker = Worker::polling(&stage, Duration::from_millis(50));
    for id in ["a", "b", "c"] {
        stage.publish(id).await;
        stage.becomes(PENDING, 0).await;
        assert_eq!(watcher.holders(WAKEUP).await, [""; 0]);
    }
    assert_eq!(watcher.heard().await, 0);
    worker.retire().await;
}

#[tokio::test]
async fn a_control_session_that_is_ended_is_noticed() {
    let stage = Stage::new().await;
    let worker = Worker::listening(&stage, "doomed", NEVER).await;
    let control = worker.control.clone().unwrap();
    control.ping().await.unwrap();
    assert!(!control.lost().is_cancelled());
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doomed'";
    stage.client.batch_execute(end).await.unwrap();
    tokio::time::timeout(PATIENCE, control.lost().cancelled()).await.expect("it says so");
    control.ping().await.unwrap_err();
    worker.retire().await;
}
