//! Every way for a task to end, and what the others learn of it.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;

async fn until_stopped(stop: Stop) -> Result<(), Infallible> {
    stop.soft().await;
    Ok(())
}

#[tokio::test]
async fn tasks_that_stop_when_asked_are_fine() {
    let stop = Stop::new();
    let mut tasks = Tasks::new(stop.clone());
    tasks.spawn("fanout", until_stopped(stop.clone()));
    tasks.spawn("delivery", until_stopped(stop.clone()));
    let health = tasks.health();
    assert_eq!(health.running().len(), 2);
    stop.request_soft();
    while let Some(ended) = tasks.join_next().await {
        assert!(ended.end.is_good(), "{ended}");
    }
    assert!(health.running().is_empty() && health.lost().is_empty());
}

#[tokio::test]
async fn a_task_lost_in_a_set_beside_stops_both_and_shows_in_one_health() {
    let stop = Stop::new();
    let mut tasks = Tasks::new(stop.clone());
    tasks.spawn("fanout", until_stopped(stop.clone()));
    let mut beside = tasks.beside();
    beside.spawn("recorder", async {
        if true { panic!("a payload tripped it") } else { Ok::<(), Infallible>(()) }
    });
    let ended = tasks.join_next().await.map(|ended| ended.name);
    assert_eq!(ended, Some("fanout"), "it was asked to stop");
    assert_eq!(tasks.health().lost(), ["recorder"]);
    assert!(beside.join_next().await.is_some_and(|ended| !ended.end.is_good()));
}

#[tokio::test]
async fn a_panic_stops_the_others_and_is_reported_by_name() {
    let stop = Stop::new();
    let mut tasks = Tasks::new(stop.clone());
    tasks.spawn("delivery", until_stopped(stop.clone()));
    tasks.spawn("recorder", async {
        if true { panic!("a payload tripped it") } else { Ok::<(), Infallible>(()) }
    });
    stop.soft().await;
    assert_eq!(tasks.health().lost(), ["recorder"]);
    let mut ends = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        ends.push(ended.to_string());
    }
    ends.sort();
    assert_eq!(ends, ["delivery stopped", "recorder panicked: a payload tripped it"]);
}

#[tokio::test]
async fn an_early_end_is_noticed_while_nobody_joins() {
    let stop = Stop::new();
    let mut tasks = Tasks::new(stop.clone());
    tasks.spawn("listener", async { Ok::<(), Infallible>(()) });
    stop.soft().await;
    assert_eq!(tasks.health().lost(), ["listener"]);
    let ended = tasks.join_next().await.expect("one task ended");
    assert!(matches!(ended.end, End::Early));
    assert_eq!(ended.to_string(), "listener ended without being asked to");
}

#[tokio::test]
async fn a_failure_carries_its_cause_even_during_a_stop() {
    let stop = Stop::new();
    let mut tasks = Tasks::new(stop.clone());
    stop.request_soft();
    tasks.spawn("janitor", async { Err::<(), _>("the disk is full") });
    let ended = tasks.join_next().await.expect("one task ended");
    assert_eq!(ended.to_string(), "janitor failed: the disk is full");
    assert_eq!(tasks.health().lost(), ["janitor"]);
}

#[tokio::test(start_paused = true)]
async fn what_hangs_can_be_aborted() {
    let mut tasks = Tasks::new(Stop::new());
    tasks.spawn("hanging", async {
        sleep(Duration::from_secs(3600)).await;
        Ok::<(), Infallible>(())
    });
    assert!(timeout(Duration::from_secs(1), tasks.join_next()).await.is_err());
    tasks.abort_all();
    let ended = tasks.join_next().await.expect("one task ended");
    assert!(matches!(ended.end, End::Aborted));
    assert!(tasks.join_next().await.is_none());
}
