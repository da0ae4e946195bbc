//! After a crash a try is counted, and committed, before the work: an event that kills its worker ends among the failed.

use postrider_fanout::FanOutOptions;
use tokio::task::JoinSet;

use crate::stage::{Meddler, PENDING, Stage, options};

fn after_crash() -> FanOutOptions {
    FanOutOptions { after_crash: true, ..options() }
}

/// A worker that dies while it works on an event; a panic stands in for the end of the process.
async fn die_at_work(stage: &Stage, options: FanOutOptions) {
    let mut fan_out = stage.fan_out_to(Meddler(|| panic!("this worker dies")), options);
    let mut worker = JoinSet::new();
    worker.spawn(async move { fan_out.drain().await.unwrap() });
    assert!(worker.join_next().await.unwrap().unwrap_err().is_panic());
    stage.wait_for_locks().await;
}

#[tokio::test]
async fn tries_are_counted_before_the_work() {
    let mut stage = Stage::new().await;
    stage.endpoint(&["*"]).await;
    stage.publish("deadly").await;
    die_at_work(&stage, options()).await;
    assert_eq!(stage.tries("deadly").await.0, 0, "nobody knew that it would kill");
    for tries in 1..=10 {
        die_at_work(&stage, after_crash()).await;
        assert_eq!(stage.tries("deadly").await.0, tries);
    }
    assert_eq!(stage.fan_out(after_crash()).drain().await.unwrap(), 0);
    assert_eq!(stage.failed("deadly").await, (10, "crashed_fanout".to_owned()));
    assert_eq!(stage.count(PENDING).await, 0);
}

#[tokio::test]
async fn innocent_events_go_out_after_a_crash_and_batches_come_back() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish_many("e", 4, 10).await;
    let mut fan_out = stage.fan_out(after_crash());
    let pass = fan_out.pass().await.unwrap();
    assert_eq!((pass.claimed, pass.fanned_out), (1, 1), "one at a time");
    assert_eq!(fan_out.drain().await.unwrap(), 3);
    // The queue was empty once: no crash so far, so no more caution.
    stage.publish_many("f", 3, 10).await;
    assert_eq!(fan_out.pass().await.unwrap().claimed, 3);
    assert_eq!(stage.owed(endpoint).await.len(), 7);
}

#[tokio::test]
async fn an_event_that_kills_does_not_keep_others_from_going_out_for_ever() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish("deadly").await;
    for _ in 0..10 {
        die_at_work(&stage, after_crash()).await;
    }
    stage.publish("behind").await;
    // The one behind it may be deadly too: it is counted as well before it is worked on.
    die_at_work(&stage, after_crash()).await;
    assert_eq!(stage.failed("deadly").await.0, 10);
    assert_eq!(stage.tries("behind").await.0, 1);
    assert_eq!(stage.fan_out(after_crash()).drain().await.unwrap(), 1);
    assert_eq!(stage.owed(endpoint).await, ["behind"]);
}
