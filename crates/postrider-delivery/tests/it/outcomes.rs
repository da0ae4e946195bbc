//! What becomes of a delivery.

use std::time::{Duration, Instant};

use postrider_core::health::HealthPolicy;

use crate::stage::{Knobs, PATIENCE, Stage};

const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";
const ATTEMPTS: &str = "SELECT count(*) FROM postrider.webhook_attempts";

/// A worker whose circuits do not open.
fn patient() -> Knobs {
    let health = HealthPolicy { open_after: u32::MAX, ..HealthPolicy::default() };
    Knobs { health, ..Knobs::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_events_arrive_signed_and_are_recorded() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    stage.publish("acme", "m", 700).await;
    let mut worker = stage.worker(Knobs::default()).await;
    assert_eq!(worker.fan_out.drain().await.unwrap(), 700);
    let received = stage.receiver.wait_for(700, PATIENCE).await;
    assert_eq!(received.len(), 700);
    let signature = received[0].header("webhook-signature");
    assert!(signature.starts_with("v1,"), "{signature}");
    stage.becomes(DELIVERED, 700).await;
    assert_eq!(stage.count(OPEN).await, 0);
    assert_eq!(stage.count(ATTEMPTS).await, 0, "a first-try success needs no row of its own");
    assert_eq!(worker.stop().await, postrider_delivery::Left::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_attempt_is_recorded_and_retried_with_the_same_id_and_bytes() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    stage.receiver.behave("/in", postrider_testkit::Behaviour::statuses([500, 200]));
    stage.publish("acme", "m", 1).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    let received = stage.receiver.wait_for(2, PATIENCE).await;
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[1].header("webhook-attempt"), "2");
    stage.becomes(DELIVERED, 1).await;
    assert_eq!(stage.count("SELECT count(*) FROM postrider.webhook_attempts WHERE status = 500 AND outcome = 'retry'").await, 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_start_when_they_are_due_each_at_its_own_time() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    let answers = [500; 30].into_iter().chain([200]);
    stage.receiver.behave("/in", postrider_testkit::Behaviour::statuses(answers));
    stage.publish("acme", "m", 30).await;
    let mut worker = stage.worker(patient()).await;
    worker.fan_out.drain().await.unwrap();
    // Waits of one second, spread by their jitter; the next look at everything that is owed comes only after five.
    stage.receiver.wait_for(30, PATIENCE).await;
    let failed = Instant::now();
    stage.receiver.wait_for(60, PATIENCE).await;
    assert!(failed.elapsed() < Duration::from_secs(2), "after {:?}", failed.elapsed());
    stage.becomes(DELIVERED, 30).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_schedule_and_a_gone_end_in_recorded_states() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/down").await;
    stage.endpoint("acme", "/gone").await;
    stage.receiver.behave("/down", postrider_testkit::Behaviour::statuses([503]));
    stage.receiver.behave("/gone", postrider_testkit::Behaviour::statuses([410]));
    stage.publish("acme", "m", 1).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'rejected' AND reason = 'gone' AND attempts = 1", 1).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'exhausted' AND attempts = 4", 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_of_a_disabled_endpoint_are_cancelled() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    stage.receiver.behave("/in", postrider_testkit::Behaviour::statuses([500]));
    stage.publish("acme", "m", 1).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(1, PATIENCE).await;
    stage.disable(endpoint).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'cancelled' AND reason = 'endpoint_disabled'", 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_starts_for_an_endpoint_that_was_disabled_while_its_delivery_waited_for_a_slot() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/slow").await;
    stage.receiver.behave("/slow", postrider_testkit::Behaviour::delay(Duration::from_secs(2)));
    let waits = stage.endpoint("globex", "/waits").await;
    stage.publish("globex", "first", 1).await;
    let mut worker = stage.worker(Knobs { in_flight: 1, ..Knobs::default() }).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 1).await;
    // The endpoint is known by now; the only slot goes to the other one.
    stage.publish("acme", "m", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(2, PATIENCE).await;
    stage.publish("globex", "second", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.disable(waits).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE reason = 'endpoint_disabled'", 1).await;
    assert_eq!(stage.receiver.received_at("/waits").len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backlog_of_a_disabled_endpoint_is_cancelled_without_a_pause() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    stage.publish("acme", "m", 3000).await;
    stage.fan_out_only().await;
    stage.disable(endpoint).await;
    let worker = stage.worker(Knobs::default()).await;
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'cancelled'",
            3000,
        )
        .await;
    assert_eq!(stage.receiver.count(), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_out_that_does_not_fit_into_a_lease_is_shortened() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    stage.publish("acme", "m", 1).await;
    let (lease, timeout) = (Duration::from_secs(20), Duration::from_secs(30));
    let mut worker = stage.worker(Knobs { lease, timeout, ..Knobs::default() }).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_never_gets_what_its_filter_or_tenant_excludes() {
    let stage = Stage::new().await;
    stage.endpoint_at("acme", &stage.receiver.url("/bounced"), &["email.bounced"]).await;
    stage.endpoint("globex", "/globex").await;
    stage.endpoint_at("acme", &stage.receiver.url("/mail"), &["email.*"]).await;
    stage.publish("acme", "m", 3).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 3).await;
    assert_eq!(stage.receiver.received_at("/mail").len(), 3);
    assert_eq!(stage.receiver.count(), 3, "nothing else was sent");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_is_closed_already_stays_as_it_was_and_costs_the_others_nothing() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/slow").await;
    stage.receiver.behave("/slow", postrider_testkit::Behaviour::delay(Duration::from_millis(400)));
    stage.publish("acme", "m", 3).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(3, PATIENCE).await;
    let planted = "INSERT INTO postrider.webhook_deliveries_closed
            (id, endpoint_id, event_seq, event_created_at, closed_at, attempts, open, status, tenant_id, reason)
        SELECT id, endpoint_id, event_seq, event_created_at, clock_timestamp(), 1, false, 'cancelled', tenant_id, 'planted'
        FROM postrider.webhook_deliveries_open ORDER BY id LIMIT 1";
    assert_eq!(stage.client.execute(planted, &[]).await.unwrap(), 1);
    stage.becomes(OPEN, 0).await;
    assert_eq!(stage.count(DELIVERED).await, 2);
    let first = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE reason = 'planted'";
    assert_eq!(stage.count(first).await, 1);
    worker.stop().await;
}
