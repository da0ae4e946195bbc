//! Two fan-outs on one database share the work.

use postrider_fanout::{FanOut, FanOutOptions, Limits, NoHandOff};

use crate::stage::{DELIVERIES, PENDING, Stage, options};

const EVENTS: i32 = 600;

/// Drains in small batches; how many events it fanned out itself.
async fn drain(mut fan_out: FanOut<NoHandOff>) -> usize {
    let (mut fanned_out, mut empty) = (0, 0);
    while empty < 20 {
        let pass = fan_out.pass().await.unwrap();
        fanned_out += pass.fanned_out;
        // What the other one has claimed is not to be seen; it may give it back.
        empty = if pass.claimed == 0 { empty + 1 } else { 0 };
    }
    fanned_out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_fan_outs_share_the_work_and_no_event_is_fanned_out_twice() {
    let stage = Stage::new().await;
    let endpoints = [stage.endpoint(&["*"]).await, stage.endpoint(&["order.*"]).await];
    stage.publish_many("e", EVENTS, 10).await;
    let by = |owner| {
        let limits = Limits { events: 10, ..Limits::default() };
        drain(stage.fan_out(FanOutOptions { owner, limits, ..options() }))
    };
    let (first, second) = tokio::join!(by(1), by(2));
    assert!(first > 0 && second > 0, "{first} and {second} events");
    assert_eq!(first + second, usize::try_from(EVENTS).unwrap());
    assert_eq!(stage.count(PENDING).await, 0);
    assert_eq!(stage.count(DELIVERIES).await, i64::from(EVENTS) * 2);
    for endpoint in endpoints {
        let mut owed = stage.owed(endpoint).await;
        owed.sort();
        owed.dedup();
        assert_eq!(owed.len(), usize::try_from(EVENTS).unwrap());
    }
}

#[tokio::test]
async fn what_one_has_claimed_the_other_passes_by() {
    let mut stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish_many("e", 3, 10).await;
    let mut fan_out = stage.fan_out(options());

    let tx = stage.client.transaction().await.unwrap();
    let claim = "SELECT FROM postrider.webhook_events_pending ORDER BY seq LIMIT 1 FOR UPDATE";
    tx.batch_execute(claim).await.unwrap();
    assert_eq!(fan_out.drain().await.unwrap(), 2);
    tx.rollback().await.unwrap();
    assert_eq!(fan_out.drain().await.unwrap(), 1);
    assert_eq!(stage.owed(endpoint).await, ["e1", "e2", "e3"]);
}
