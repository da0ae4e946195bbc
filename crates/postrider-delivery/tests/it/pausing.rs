//! Endpoints that people pause: what they are owed waits, in every worker, and goes once they go on.

use std::time::{Duration, Instant};

use postrider_core::health::HealthPolicy;
use postrider_store::admin::endpoints::{CHANGE_SETTLES, set_enabled, set_paused};
use postrider_store::{admin::status, endpoint_health};
use postrider_testkit::Behaviour;

use crate::stage::{Knobs, Stage};

const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const LEASED: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NOT NULL AND next_attempt_at < 'infinity'";
const TRIED: &str = "SELECT count(*) FROM postrider.webhook_deliveries WHERE attempts > 0";
const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";
/// Longer than a look, a walk of what is due and what an endpoint is trusted for.
const A_WHILE: Duration = Duration::from_millis(6000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_arrives_at_a_paused_endpoint_in_any_worker_and_everything_does_after_it() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/paused").await;
    stage.endpoint("acme", "/other").await;
    let mut first = stage.worker(Knobs::default()).await;
    stage.publish("acme", "before", 1).await;
    first.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 2).await;

    assert!(set_paused(&stage.pool, endpoint, true, Some("maintenance")).await.unwrap());
    assert!(!set_paused(&stage.pool, endpoint, true, None).await.unwrap(), "it was so already");
    tokio::time::sleep(CHANGE_SETTLES).await;
    let before = stage.receiver.received_at("/paused").len();
    // One that never saw it go on, and one that delivered to it a moment ago.
    let mut second = stage.worker(Knobs { owner: 2, ..Knobs::default() }).await;
    stage.publish("acme", "a", 100).await;
    first.fan_out.drain().await.unwrap();
    stage.publish("acme", "b", 100).await;
    second.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 2 + 200).await;
    let since = Instant::now();
    while since.elapsed() < A_WHILE {
        assert_eq!(stage.receiver.received_at("/paused").len(), before);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stage.count(OPEN).await, 200, "nothing is lost");
    let tried = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE attempts > 0";
    assert_eq!(stage.count(tried).await, 0, "no attempt is burnt");
    stage.becomes(LEASED, 0).await;

    // It is not late, and not stuck.
    let unwell = endpoint_health::unwell(&stage.pool).await.unwrap();
    assert_eq!(
        unwell.iter().map(|row| (row.endpoint, row.paused)).collect::<Vec<_>>(),
        [(endpoint, true)]
    );
    let now = status::clock(&stage.pool).await.unwrap();
    let lag = status::due_lag(&stage.pool, &unwell, now).await.unwrap();
    assert_eq!((lag.endpoints, lag.waiting), (0, 1));
    let age = "UPDATE postrider.webhook_deliveries_open SET next_attempt_at = next_attempt_at - interval '1 hour'";
    stage.client.execute(age, &[]).await.unwrap();
    assert_eq!(stage.count("SELECT count(*) FROM postrider.v_stuck").await, 0);

    assert!(set_paused(&stage.pool, endpoint, false, None).await.unwrap());
    assert!(!set_paused(&stage.pool, endpoint, false, None).await.unwrap());
    stage.becomes(DELIVERED, 2 + 400).await;
    assert_eq!(stage.receiver.received_at("/paused").len(), 201, "each once");
    assert_eq!(
        stage.count("SELECT count(*) FROM postrider.webhook_deliveries WHERE attempts <> 1").await,
        0
    );
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_in_flight_is_recorded_and_a_retry_waits() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/slow").await;
    let slow = Behaviour::Delay(Duration::from_millis(1500), Box::new(Behaviour::status(500)));
    stage.receiver.behave("/slow", slow);
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 1).await;
    worker.fan_out.drain().await.unwrap();
    let since = Instant::now();
    while stage.receiver.received_at("/slow").is_empty() && since.elapsed() < A_WHILE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(set_paused(&stage.pool, endpoint, true, None).await.unwrap());
    stage.becomes(TRIED, 1).await;
    // Its retry would come after a second.
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(stage.receiver.count(), 1);
    stage.receiver.behave("/slow", Behaviour::status(200));
    assert!(set_paused(&stage.pool, endpoint, false, None).await.unwrap());
    stage.becomes(DELIVERED, 1).await;
    assert_eq!(stage.receiver.count(), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_failed_is_neither_probed_nor_disabled_while_it_is_paused() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let health = HealthPolicy {
        open_after: 3,
        probe_after: Duration::from_millis(300),
        disable_after: Duration::from_secs(3),
        ..HealthPolicy::default()
    };
    let mut worker = stage.worker(Knobs { health, ..Knobs::default() }).await;
    stage.publish("acme", "m", 20).await;
    worker.fan_out.drain().await.unwrap();
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit <> 'closed'",
            1,
        )
        .await;
    assert!(set_paused(&stage.pool, endpoint, true, None).await.unwrap());
    tokio::time::sleep(CHANGE_SETTLES).await;
    let before = stage.receiver.count();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(stage.receiver.count(), before, "no probe");
    let disabled = "SELECT count(*) FROM postrider.webhook_endpoints WHERE NOT enabled";
    assert_eq!(stage.count(disabled).await, 0);
    stage.receiver.behave("/down", Behaviour::status(200));
    // It goes on with a clean record: the time it was paused for is none in which it failed.
    assert!(set_paused(&stage.pool, endpoint, false, None).await.unwrap());
    stage.becomes(DELIVERED, 20).await;
    assert_eq!(stage.count(disabled).await, 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_endpoint_keeps_its_order_and_one_that_is_disabled_is_owed_nothing() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/ordered").await;
    let order = "UPDATE postrider.webhook_endpoints SET ordering = 'endpoint' WHERE id = $1";
    stage.client.execute(order, &[&endpoint.0]).await.unwrap();
    assert!(set_paused(&stage.pool, endpoint, true, None).await.unwrap());
    let mut worker = stage.worker(Knobs::default()).await;
    for n in 0..20 {
        stage.publish("acme", &format!("m{n:02}-"), 1).await;
    }
    worker.fan_out.drain().await.unwrap();
    tokio::time::sleep(CHANGE_SETTLES).await;
    assert_eq!(stage.receiver.count(), 0);
    assert!(set_paused(&stage.pool, endpoint, false, None).await.unwrap());
    stage.becomes(DELIVERED, 20).await;
    let ids: Vec<String> =
        stage.receiver.received_at("/ordered").iter().map(|r| r.json()["id"].to_string()).collect();
    assert!(ids.is_sorted(), "{ids:?}");

    assert!(set_paused(&stage.pool, endpoint, true, None).await.unwrap());
    tokio::time::sleep(CHANGE_SETTLES).await;
    stage.publish("acme", "z", 5).await;
    worker.fan_out.drain().await.unwrap();
    assert_eq!(stage.count(OPEN).await, 5);
    // Its workers end what it is owed, as they do for any that is disabled.
    assert!(set_enabled(&stage.pool, endpoint, false, "by hand").await.unwrap());
    stage.becomes(OPEN, 0).await;
    assert_eq!(stage.receiver.count(), 20);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_a_paused_endpoint_wait_too() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/batches").await;
    let batched = "UPDATE postrider.webhook_endpoints SET batch_max_events = 10, batch_max_wait_ms = 50, batch_max_bytes = 1048576, batch_encoding = 'array' WHERE id = $1";
    stage.client.execute(batched, &[&endpoint.0]).await.unwrap();
    assert!(set_paused(&stage.pool, endpoint, true, None).await.unwrap());
    let mut worker = stage.worker(Knobs::default()).await;
    // Full ones, which fan-out hands to the lane, and what is left for company.
    stage.publish("acme", "m", 25).await;
    worker.fan_out.drain().await.unwrap();
    stage.fan_out_only().await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(stage.receiver.count(), 0);
    assert_eq!(
        stage
            .count("SELECT count(*) FROM postrider.webhook_deliveries_open WHERE attempts = 0")
            .await,
        25
    );
    assert!(set_paused(&stage.pool, endpoint, false, None).await.unwrap());
    stage.becomes(DELIVERED, 25).await;
    assert_eq!(stage.receiver.count(), 3);
    worker.stop().await;
}
