//! While a worker is awake nobody knocks: NOTIFY costs every publisher of the cluster a lock at commit.

use std::time::Duration;

use postrider_core::ids::EndpointId;
use postrider_fanout::{FanOutOptions, HandOff, Limits};
use postrider_store::deliveries::LeasedDelivery;
use tokio::task::JoinSet;

use crate::stage::{PENDING, Stage, options, publish};
use crate::watcher::Watcher;
use crate::worker::{NEVER, Worker};

const BACKLOG: i32 = 2_000;
const PUBLISHERS: i64 = 4;
const EACH: i64 = 60;

/// Lanes that drain slowly, so that a small backlog lasts.
struct Slow;

impl HandOff for Slow {
    fn reserve(&self, _endpoint: EndpointId, _wanted: usize, _bytes: usize) -> usize {
        0
    }

    fn unreserve(&self, _endpoint: EndpointId, _places: usize) {}

    fn hand_off(&self, _deliveries: Vec<LeasedDelivery>) {}

    fn overflowed(&self, _endpoint: EndpointId) {}

    fn gathering(&self, _endpoint: EndpointId) {}

    async fn pace(&self) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_backlog_keeps_the_worker_awake_nobody_knocks() {
    let stage = Stage::new().await;
    stage.publish_many("backlog", BACKLOG, 10).await;
    let watcher = Watcher::start(&stage).await;
    let small = FanOutOptions { limits: Limits { events: 5, ..Limits::default() }, ..options() };
    let fan_out = stage.fan_out_to(Slow, small);
    let worker = Worker::with(&stage, "awake", NEVER, fan_out).await;
    while stage.count(PENDING).await == i64::from(BACKLOG) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let mut publishing = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let mut session = stage.db.client().await;
        publishing.spawn(async move {
            for number in 0..EACH {
                let tx = session.transaction().await.unwrap();
                publish(&tx, &format!("e{publisher}_{number}")).await;
                tx.commit().await.unwrap();
            }
        });
    }
    publishing.join_all().await;
    // Had the queue been empty once, no more than the new events could be in it now.
    let pending = stage.count(PENDING).await;
    assert!(pending > PUBLISHERS * EACH, "the backlog of {BACKLOG} did not last: {pending}");
    assert_eq!(watcher.heard().await, 0);
    worker.retire().await;
}
