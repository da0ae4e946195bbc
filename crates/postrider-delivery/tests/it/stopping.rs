//! Stopping in two steps.

use std::time::Duration;

use postrider_testkit::Behaviour;

use crate::stage::{Knobs, PATIENCE, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_stop_finishes_what_is_in_flight_and_gives_the_rest_back() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/slow").await;
    stage.receiver.behave("/slow", Behaviour::delay(Duration::from_millis(400)));
    stage.publish("acme", "m", 50).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(10, PATIENCE).await;
    let left = worker.stop().await;
    assert_eq!((left.released, left.lost), (40, 0), "ten were in flight");
    assert_eq!(stage.count("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'").await, 10);
    let due = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NULL AND next_attempt_at <= clock_timestamp()";
    assert_eq!(stage.count(due).await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_soft_stop_nobody_who_waited_for_a_slot_starts_an_attempt() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/slow").await;
    stage.receiver.behave("/slow", Behaviour::delay(Duration::from_millis(500)));
    stage.publish("acme", "m", 1).await;
    let mut worker = stage.worker(Knobs { in_flight: 1, ..Knobs::default() }).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(1, PATIENCE).await;
    stage.endpoint("globex", "/waits").await;
    stage.publish("globex", "m", 5).await;
    worker.fan_out.drain().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let left = worker.stop().await;
    assert_eq!((left.released, left.lost), (5, 0));
    assert_eq!(stage.receiver.received_at("/waits").len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hard_stop_abandons_requests_and_gives_their_leases_back() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/hangs").await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    stage.publish("acme", "m", 5).await;
    let mut worker =
        stage.worker(Knobs { timeout: Duration::from_secs(30), ..Knobs::default() }).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(5, PATIENCE).await;
    worker.stop.request_hard();
    let left = tokio::time::timeout(Duration::from_secs(3), worker.stop())
        .await
        .expect("a hard stop does not wait");
    assert_eq!((left.released, left.lost), (5, 0));
    assert_eq!(
        stage
            .count(
                "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NULL"
            )
            .await,
        5
    );
}
