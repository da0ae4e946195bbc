//! In a fleet one worker sleeps for all, and another takes its place when it goes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_fanout::{FanOutOptions, Limits};

use crate::stage::{PENDING, Stage, options};
use crate::watcher::{SENTINEL, WAKEUP, Watcher};
use crate::worker::{NEVER, Worker};

/// Two workers, of which the first is the sentinel.
async fn fleet(stage: &Stage, watcher: &Watcher) -> (Worker, Worker) {
    let first = Worker::listening(stage, "first", NEVER).await;
    watcher.until_held(SENTINEL, "first").await;
    (first, Worker::listening(stage, "second", NEVER).await)
}

/// The second worker sleeps for the fleet now, and is knocked for.
async fn second_has_taken_over(stage: &mut Stage, watcher: &Watcher) {
    watcher.until_held(SENTINEL, "second").await;
    watcher.until_held(WAKEUP, "second").await;
    let heard = watcher.heard().await;
    stage.publish("after").await;
    stage.becomes(PENDING, 0).await;
    assert_eq!(watcher.heard().await, heard + 1);
}

#[tokio::test]
async fn one_worker_sleeps_for_all() {
    let mut stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let (first, second) = fleet(&stage, &watcher).await;
    for id in ["a", "b"] {
        watcher.until_held(WAKEUP, "first").await;
        stage.publish(id).await;
        stage.becomes(PENDING, 0).await;
    }
    assert_eq!(watcher.holders(SENTINEL).await, ["first"]);
    second.retire().await;
    first.retire().await;
    assert_eq!(watcher.holders(SENTINEL).await, [""; 0]);
}

#[tokio::test]
async fn a_sentinel_that_retires_hands_over_at_once() {
    let mut stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let (first, second) = fleet(&stage, &watcher).await;
    // Long after the second one last tried …
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    first.retire().await;
    second_has_taken_over(&mut stage, &watcher).await;
    second.retire().await;
}

#[tokio::test]
async fn a_sentinel_that_retires_soon_after_another_worker_came_hands_over_too() {
    let mut stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let (first, second) = fleet(&stage, &watcher).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.retire().await;
    second_has_taken_over(&mut stage, &watcher).await;
    second.retire().await;
}

#[tokio::test]
async fn a_sentinel_whose_session_dies_is_followed_within_moments() {
    let mut stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    let (first, second) = fleet(&stage, &watcher).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.die().await;
    second_has_taken_over(&mut stage, &watcher).await;
    second.retire().await;
}

#[tokio::test]
async fn a_busy_sentinel_wakes_its_peers() {
    let stage = Stage::new().await;
    let watcher = Watcher::start(&stage).await;
    stage.publish_many("backlog", 100, 10).await;
    let small = FanOutOptions { limits: Limits { events: 1, ..Limits::default() }, ..options() };
    let first = Worker::with(&stage, "first", NEVER, stage.fan_out(small)).await;
    watcher.until_held(WAKEUP, "first").await;
    assert_eq!(watcher.heard().await, 0, "it knew of nobody to wake");

    first.peers.store(1, Ordering::Relaxed);
    stage.publish_many("more", 100, 10).await;
    stage.becomes(PENDING, 0).await;
    assert!(watcher.heard().await >= 2, "the publisher's knock, and the sentinel's for its peers");
    first.retire().await;
}
