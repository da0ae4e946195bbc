//! A batch is one request to its endpoint: for its health, its limits, and its end.

use std::collections::BTreeSet;
use std::time::Duration;

use postrider_core::health::HealthPolicy;
use postrider_testkit::{Behaviour, Received, Reply};

use super::{BATCHES, DELIVERED, OPEN, assert_unchanged, members};
use crate::stage::{Knobs, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_counts_once_for_cap_and_rate() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(10, 60_000, 1 << 20).await;
    stage.change(endpoint, "max_in_flight = 2, rate_limit = 10").await;
    stage.receiver.behave("/in", Behaviour::delay(Duration::from_millis(50)));
    stage.publish("acme", "e", 120).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(DELIVERED, 120).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(requests.len(), 12);
    assert!(stage.receiver.most_open() <= 2);
    let took = requests[11].at - requests[0].at;
    assert!(took >= Duration::from_millis(850), "12 requests at 10 a second: {took:?}");
    assert!(took < Duration::from_secs(5), "not 120: {took:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_when_its_endpoint_is_disabled_is_still_recorded() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(3, 60_000, 1 << 20).await;
    stage.change(endpoint, "max_in_flight = 1").await;
    // Longer than an endpoint is taken for unchanged.
    stage.receiver.behave("/in", Behaviour::delay(Duration::from_millis(2500)));
    stage.publish("acme", "e", 6).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.receiver.wait_for(1, Duration::from_secs(5)).await;
    stage.disable(endpoint).await;
    stage.becomes(OPEN, 0).await;
    let cancelled =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'cancelled'";
    assert_eq!((stage.count(DELIVERED).await, stage.count(cancelled).await), (3, 3));
    assert_eq!(stage.receiver.count(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_410_rejects_the_whole_batch_and_disables_the_endpoint() {
    let stage = Stage::new().await;
    stage.batching(4, 60_000, 1 << 20).await;
    stage.receiver.behave("/in", Behaviour::status(410));
    stage.publish("acme", "e", 6).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    let of = |status: &str| {
        format!(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = '{status}'"
        )
    };
    assert_eq!(stage.count(&of("rejected")).await, 4);
    assert_eq!(stage.count(&of("cancelled")).await, 2);
    assert_eq!(
        stage.count("SELECT count(*) FROM postrider.webhook_endpoints WHERE NOT enabled").await,
        1
    );
    assert_eq!((stage.receiver.count(), stage.count(BATCHES).await), (1, 0));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circuit_counts_requests_and_opens_again_with_one_batch() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(10, 20, 1 << 20).await;
    stage.change(endpoint, "max_in_flight = 1").await;
    stage.receiver.behave("/in", Behaviour::status(500));
    let health = HealthPolicy {
        open_after: 3,
        probe_after: Duration::from_millis(800),
        ..HealthPolicy::default()
    };
    stage.publish("acme", "e", 100).await;
    let worker = stage.at_work(Knobs { health, ..Knobs::default() }).await;
    let circuit =
        "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit <> 'closed'";
    stage.becomes(circuit, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.receiver.count(), 3, "three requests, not three deliveries");
    stage.receiver.behave("/in", Behaviour::status(200));
    stage.becomes(OPEN, 0).await;
    stage.becomes(circuit, 0).await;
    let requests = stage.receiver.received_at("/in");
    assert_unchanged(&requests);
    let ids: BTreeSet<&str> = requests.iter().map(Received::id).collect();
    assert_eq!((requests.len(), ids.len()), (13, 10), "three batches twice, the others once");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_the_receiver_asks_for_costs_nothing_and_changes_nothing() {
    let stage = Stage::new().await;
    stage.batching(5, 20, 1 << 20).await;
    let wait = Behaviour::Reply(Reply::new(429).header("retry-after", "1"));
    stage.receiver.behave("/in", Behaviour::Sequence(vec![wait, Behaviour::status(200)]));
    stage.publish("acme", "e", 5).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(requests.len(), 2);
    assert_unchanged(&requests);
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(900));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_is_not_spent_on_what_needs_no_request() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(4, 0, 1 << 20).await;
    stage.change(endpoint, "max_in_flight = 1, retry_schedule_ms = '{600000}'").await;
    stage.receiver.behave("/in", Behaviour::statuses([500, 200]));
    stage.publish("acme", "first", 1).await;
    let health = HealthPolicy {
        open_after: 1,
        probe_after: Duration::from_millis(1500),
        ..HealthPolicy::default()
    };
    let mut worker = stage.at_work(Knobs { health, ..Knobs::default() }).await;
    let open = "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit = 'open'";
    stage.becomes(open, 1).await;
    // All of these have expired when the probe's time has come; then there is one that has not.
    stage.client.execute("SELECT postrider.publish_v1('acme', 'brief' || i, 'email.received', '{}', NULL, NULL, NULL, interval '100 milliseconds', NULL, true) FROM generate_series(1, 20) i", &[]).await.unwrap();
    stage.publish("acme", "last", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 1).await;
    let expired =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'expired'";
    stage.becomes(expired, 20).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!((requests.len(), members(&requests[1])), (2, vec!["last0".to_owned()]));
    let waited = requests[1].at - requests[0].at;
    assert!(waited < Duration::from_secs(4), "one probe was enough: {waited:?}");
    worker.stop().await;
}
