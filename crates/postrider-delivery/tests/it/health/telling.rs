//! Operator events: told once, to who names them, and never about their own endpoint's troubles.

use std::time::Duration;

use postrider_core::ids::EndpointId;
use postrider_testkit::Behaviour;

use super::{knobs, told};
use crate::stage::{Knobs, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_endpoint_is_told_of_its_own_troubles_and_exhausted_deliveries_are_told_once() {
    let stage = Stage::new().await;
    let names = ["email.received", "delivery.exhausted", "endpoint.failing"];
    let own = stage.endpoint_at("acme", &stage.receiver.url("/down"), &names).await;
    let other = stage.endpoint_at("acme", &stage.receiver.url("/other"), &names[1..]).await;
    stage
        .client
        .execute("UPDATE postrider.webhook_endpoints SET retry_schedule_ms = '{1000}'", &[])
        .await
        .unwrap();
    stage.receiver.behave("/down", Behaviour::status(500));
    // Operator events ignore switches: no change can fail, or stay untold, because of one.
    let mut worker = stage.worker(knobs(1, 4, Duration::from_secs(60))).await;
    stage.publish("acme", "m", 2).await;
    stage
        .client
        .execute(
            "INSERT INTO postrider.webhook_switches (scope, name) VALUES ('installation', '')",
            &[],
        )
        .await
        .unwrap();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(&told("delivery.exhausted"), 2).await;
    stage.becomes(&told("endpoint.failing"), 1).await;
    worker.fan_out.drain().await.unwrap();
    let about = |whom: EndpointId| {
        format!(
            "SELECT count(*) FROM postrider.webhook_deliveries d JOIN postrider.webhook_events e ON e.seq = d.event_seq WHERE e.type <> 'email.received' AND d.endpoint_id = '{}'",
            whom.0
        )
    };
    stage.becomes(&about(other), 3).await;
    assert_eq!(stage.count(&about(own)).await, 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_event_that_exhausts_is_not_told_of() {
    let stage = Stage::new().await;
    stage.endpoint_at("acme", &stage.receiver.url("/down"), &["email.received"]).await;
    stage.endpoint_at("acme", &stage.receiver.url("/operator"), &["delivery.exhausted"]).await;
    stage
        .client
        .execute("UPDATE postrider.webhook_endpoints SET retry_schedule_ms = '{1000}'", &[])
        .await
        .unwrap();
    stage.receiver.behave_by_default(Behaviour::status(500));
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(&told("delivery.exhausted"), 1).await;
    worker.fan_out.drain().await.unwrap();
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'exhausted'",
            2,
        )
        .await;
    assert_eq!(stage.count(&told("delivery.exhausted")).await, 1);
    worker.stop().await;
}
