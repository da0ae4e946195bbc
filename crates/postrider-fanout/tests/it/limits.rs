//! A batch stays within its bounds, and what it leaves follows at once.

use postrider_fanout::{FanOutOptions, Limits};

use crate::stage::{DELIVERIES, PENDING, Stage, options};

fn limited(limits: Limits) -> FanOutOptions {
    FanOutOptions { limits, ..options() }
}

#[tokio::test]
async fn a_claim_takes_no_more_than_its_number_of_events() {
    let stage = Stage::new().await;
    stage.publish_many("e", 7, 10).await;
    let mut fan_out = stage.fan_out(limited(Limits { events: 3, ..Limits::default() }));
    let mut passes = Vec::new();
    for _ in 0..4 {
        let pass = fan_out.pass().await.unwrap();
        passes.push((pass.fanned_out, pass.more));
    }
    assert_eq!(passes, [(3, true), (3, true), (1, false), (0, false)]);
}

#[tokio::test]
async fn bytes_cut_a_batch_and_the_rest_follows() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint(&["*"]).await;
    stage.publish_many("e", 5, 1_000).await;
    let mut fan_out = stage.fan_out(limited(Limits { bytes: 2_500, ..Limits::default() }));
    let first = fan_out.pass().await.unwrap();
    assert_eq!((first.claimed, first.fanned_out, first.more), (5, 2, true));
    assert_eq!(stage.count(PENDING).await, 3, "what was cut is pending still");
    assert_eq!(fan_out.drain().await.unwrap(), 3);
    assert_eq!(stage.owed(endpoint).await, ["e1", "e2", "e3", "e4", "e5"]);
}

#[tokio::test]
async fn an_event_larger_than_the_bound_goes_alone() {
    let stage = Stage::new().await;
    stage.publish_many("e", 3, 1_000).await;
    let mut fan_out = stage.fan_out(limited(Limits { bytes: 100, ..Limits::default() }));
    for left in [2, 1, 0] {
        assert_eq!(fan_out.pass().await.unwrap().fanned_out, 1);
        assert_eq!(stage.count(PENDING).await, left);
    }
}

#[tokio::test]
async fn deliveries_cut_a_batch_and_the_rest_follows() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.endpoint(&["*"]).await;
    }
    stage.publish_many("e", 5, 10).await;
    let mut fan_out = stage.fan_out(limited(Limits { deliveries: 7, ..Limits::default() }));
    let mut passes = Vec::new();
    for _ in 0..3 {
        let pass = fan_out.pass().await.unwrap();
        passes.push((pass.claimed, pass.fanned_out, pass.deliveries, pass.more));
    }
    assert_eq!(passes, [(5, 2, 6, true), (3, 2, 6, true), (1, 1, 3, false)]);
    assert_eq!(stage.count(DELIVERIES).await, 15);
}

#[tokio::test]
async fn an_event_with_more_deliveries_than_the_bound_goes_alone() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.endpoint(&["*"]).await;
    }
    stage.publish_many("e", 2, 10).await;
    let mut fan_out = stage.fan_out(limited(Limits { deliveries: 2, ..Limits::default() }));
    assert_eq!(fan_out.pass().await.unwrap().deliveries, 3);
    assert_eq!(fan_out.pass().await.unwrap().deliveries, 3);
    assert_eq!(stage.count(PENDING).await, 0);
}
