//! What is not the event's fault counts against no event: fan-out pauses, and goes on where it was.

use std::sync::atomic::{AtomicBool, Ordering};

use postrider_fanout::Wakeup;
use postrider_runtime::{Metrics, Stop};
use tokio::task::JoinSet;

use crate::stage::{Meddler, PATIENCE, PENDING, Stage, at_once, options};

#[tokio::test]
async fn errors_that_are_not_the_events_fault_count_for_nothing() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish_many("e", 3, 10).await;
    let mut fan_out = stage.fan_out(options());
    // Disk full, out of memory, deadlock, serialization failure, lock time-out, cancelled, no privilege, read-only, a bug.
    for sqlstate in
        ["53100", "53200", "40P01", "40001", "55P03", "57014", "42501", "25006", "XX000"]
    {
        stage.refuse("e2", sqlstate).await;
        let failure = fan_out.pass().await.expect_err(sqlstate);
        assert_eq!(failure.sqlstate(), Some(sqlstate));
        assert_eq!(stage.tries("e2").await, (0, None), "{sqlstate}");
        assert_eq!(stage.count(PENDING).await, 3, "{sqlstate}");
    }
    stage.refuse_nothing().await;
    let pass = fan_out.pass().await.unwrap();
    assert_eq!((pass.claimed, pass.fanned_out), (3, 3), "in one batch, as before");
    assert_eq!(stage.owed(endpoint).await, ["e1", "e2", "e3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_dies_in_the_middle_of_a_batch_counts_for_nothing() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish_many("e", 3, 10).await;
    let (session, once) = (stage.db.client().await, AtomicBool::new(true));
    let lanes = Meddler(move || {
        if once.swap(false, Ordering::SeqCst) {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'fan-out'";
            assert!(!at_once(session.query(kill, &[])).unwrap().is_empty());
        }
    });
    let mut fan_out = stage.fan_out_to(lanes, options());
    fan_out.pass().await.unwrap_err();
    assert_eq!(stage.count(PENDING).await, 3);
    // On a new connection. The old one's backend says goodbye first and lets go of its rows then, and locked rows are passed over.
    let mut fanned_out = 0;
    while fanned_out < 3 {
        fanned_out += fan_out.drain().await.unwrap();
    }
    assert_eq!(stage.owed(endpoint).await, ["e1", "e2", "e3"]);
}

#[tokio::test]
async fn a_running_fan_out_waits_such_errors_out() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.refuse("e1", "53100").await;
    let (stop, metrics) = (Stop::new(), Metrics::new());
    let mut running = JoinSet::new();
    let wakeup = Wakeup::polling(std::time::Duration::from_millis(20), metrics);
    running.spawn(stage.fan_out(options()).run(wakeup, stop.clone()));
    stage.publish_many("e", 1, 10).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(stage.tries("e1").await, (0, None));
    stage.refuse_nothing().await;
    stage.becomes(PENDING, 0).await;
    assert_eq!(stage.owed(endpoint).await, ["e1"]);
    stop.request_soft();
    tokio::time::timeout(PATIENCE, running.join_next()).await.expect("it stops").unwrap().unwrap();
}
