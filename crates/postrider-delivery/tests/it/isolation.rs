//! Overflow, other endpoints, other workers.

use std::time::Duration;

use postrider_testkit::Behaviour;

use crate::stage::{Knobs, PATIENCE, Stage};

const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_into_memory_waits_in_the_database_and_is_pulled() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    stage.publish("acme", "m", 3000).await;
    // Room for a handful of envelopes: nearly everything overflows.
    let mut worker = stage.worker(Knobs { lane_bytes: 2000, ..Knobs::default() }).await;
    assert_eq!(worker.fan_out.drain().await.unwrap(), 3000);
    assert!(
        worker.metrics.overflowed.get() > 2500,
        "{} overflowed",
        worker.metrics.overflowed.get()
    );
    stage.becomes(DELIVERED, 3000).await;
    assert_eq!(stage.receiver.count(), 3000, "each once");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_endpoint_does_not_hold_up_its_neighbour() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/hangs").await;
    stage.endpoint("acme", "/well").await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    stage.publish("acme", "m", 2000).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 2000).await;
    assert_eq!(stage.receiver.received_at("/well").len(), 2000);
    assert!(
        stage.receiver.most_open() <= 20,
        "ten in flight an endpoint, {} were open",
        stage.receiver.most_open()
    );
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_that_hang_do_not_hold_up_another_however_many_slots_they_could_fill() {
    let stage = Stage::new().await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    // 60 endpoints with ten in flight each, where the worker has 512 slots.
    for tenant in ["t1", "t2", "t3", "t4", "t5", "t6"] {
        for _ in 0..10 {
            stage.endpoint(tenant, "/hangs").await;
        }
        stage.publish(tenant, "m", 20).await;
    }
    let knobs = Knobs { timeout: Duration::from_secs(30), ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(200, PATIENCE).await;
    stage.endpoint("acme", "/well").await;
    stage.publish("acme", "m", 200).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 200).await;
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_that_were_fast_and_begin_to_hang_all_at_once_leave_slots_to_the_others() {
    let stage = Stage::new().await;
    for _ in 0..10 {
        stage.endpoint("globex", "/hangs").await;
    }
    let knobs = Knobs { in_flight: 40, timeout: Duration::from_secs(30), ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    stage.publish("globex", "well", 40).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 400).await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    stage.publish("globex", "m", 2).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(420, PATIENCE).await;
    // None of them has failed yet, so no circuit is open; and each may have ten in flight.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.publish("globex", "n", 20).await;
    worker.fan_out.drain().await.unwrap();
    stage.endpoint("acme", "/well").await;
    stage.publish("acme", "m", 100).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 500).await;
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_hangs_does_not_fill_the_memory_of_the_others() {
    let stage = Stage::new().await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    stage.endpoint("globex", "/hangs").await;
    stage.publish_large("globex", 100, 20_000).await;
    let knobs = Knobs { timeout: Duration::from_secs(30), lane_bytes: 1 << 20, ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    worker.fan_out.drain().await.unwrap();
    stage.endpoint("acme", "/well").await;
    stage.publish_large("acme", 100, 20_000).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 100).await;
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_lease_has_passed_overwrites_nothing() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    stage.receiver.behave("/in", Behaviour::delay(Duration::from_millis(600)));
    stage.publish("acme", "m", 1).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(1, PATIENCE).await;
    // Meanwhile another worker takes the delivery over.
    let taken = stage.client.execute("UPDATE postrider.webhook_deliveries_open SET lease_owner = 99, lease_no = lease_no + 1", &[]).await.unwrap();
    assert_eq!(taken, 1);
    let lost = async {
        while worker.metrics.leases_lost.get() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, lost).await.expect("the late outcome is noticed");
    assert_eq!(
        stage
            .count("SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner = 99")
            .await,
        1
    );
    assert_eq!(stage.count(DELIVERED).await, 0);
    worker.stop().await;
}
