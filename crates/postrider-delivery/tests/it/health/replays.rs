//! What is sent once more says nothing of its endpoint's health, unless it is the probe that somebody waits for.

use std::time::Duration;

use postrider_core::ids::EndpointId;
use postrider_store::admin::events;
use postrider_store::admin::repair::{self, Redelivered};
use postrider_testkit::Behaviour;

use super::{DELIVERED, knobs, record};
use crate::stage::Stage;

const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const SHUT: &str = "INSERT INTO postrider.webhook_endpoint_health (endpoint_id, circuit, consecutive_failures, opened_at, next_probe_at, first_failure_at)
    VALUES ($1, 'open', 9, clock_timestamp(), clock_timestamp(), clock_timestamp())
    ON CONFLICT (endpoint_id) DO UPDATE SET circuit = 'open', consecutive_failures = 9, opened_at = clock_timestamp(), next_probe_at = clock_timestamp(), first_failure_at = clock_timestamp()";

/// Three events that were delivered, owed once more to an endpoint whose circuit has opened since.
async fn owed_again(stage: &Stage) -> EndpointId {
    let endpoint = stage.endpoint("acme", "/in").await;
    stage.publish("acme", "e", 3).await;
    let mut worker = stage.worker(knobs(1, 3, Duration::from_millis(200))).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 3).await;
    worker.stop().await;
    stage.client.execute(SHUT, &[&endpoint.0]).await.unwrap();
    for key in events::find(&stage.pool, "e", None).await.unwrap() {
        let done = repair::redeliver(&stage.pool, &key, &[endpoint]).await.unwrap();
        assert!(matches!(done[..], [Redelivered::Owed { replay: 1, .. }]), "{done:?}");
    }
    endpoint
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circuit_closes_by_a_probe_with_what_is_sent_once_more() {
    let stage = Stage::new().await;
    let endpoint = owed_again(&stage).await;
    let worker = stage.worker(knobs(2, 3, Duration::from_millis(200))).await;
    stage.becomes(OPEN, 0).await;
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit = 'closed'",
            1,
        )
        .await;
    assert_eq!(record(&stage, endpoint).await, ("closed".to_owned(), 0));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_down_is_probed_at_its_pace_by_what_is_sent_once_more() {
    let stage = Stage::new().await;
    owed_again(&stage).await;
    stage.receiver.behave("/in", Behaviour::status(500));
    let before = stage.receiver.count();
    let worker = stage.worker(knobs(2, 3, Duration::from_secs(60))).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_attempts", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.receiver.count() - before, 1, "one probe, and the next one in a minute");
    worker.stop().await;
}
