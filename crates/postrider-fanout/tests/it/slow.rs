//! Filters that take long over an event cost its own tenant that event, and nobody else anything.

use std::time::Duration;

use postrider_core::ids::EndpointId;
use postrider_fanout::{FanOutOptions, Limits};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{PENDING, Stage, options};

/// As much as a filter may ask of data, and nothing that this event's has.
fn costly() -> Value {
    json!({ "data": { "list": vec![json!({ "equals-ignore-case": "x".repeat(20) }); 19] } })
}

/// Endpoints with this filter.
async fn endpoints(stage: &Stage, tenant: &str, filter: Option<Value>, count: usize) {
    let sql = "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, filter) VALUES ($1, $2, 'https://example.com/', '{*}', $3)";
    for _ in 0..count {
        let id = EndpointId(Uuid::now_v7());
        stage.client.execute(sql, &[&id.0, &tenant, &filter]).await.unwrap();
    }
}

/// An event with a long list in its data, or a short one.
async fn publish(stage: &Stage, tenant: &str, id: &str, elements: i32) {
    let sql = "SELECT postrider.publish_v1($1, $2, 'order.paid', json_build_object('list', \
                   (SELECT json_agg(repeat('x', 19)) FROM generate_series(1, $3))), NULL, NULL, NULL, NULL, NULL, true)";
    stage.client.execute(sql, &[&tenant, &id, &elements]).await.unwrap();
}

fn limited(limits: Limits) -> FanOutOptions {
    FanOutOptions { limits, ..options() }
}

const FANNED_OUT: &str = "SELECT count(DISTINCT event_seq) FROM postrider.webhook_deliveries";

#[tokio::test]
async fn an_event_whose_tenants_filters_take_too_long_is_put_off_and_ends_among_the_failed() {
    let stage = Stage::new().await;
    endpoints(&stage, "slow", Some(costly()), 40).await;
    endpoints(&stage, "quick", None, 1).await;
    for round in 1..=3 {
        publish(&stage, "quick", &format!("before-{round}"), 1).await;
    }
    publish(&stage, "slow", "long", 10_000).await;
    publish(&stage, "slow", "short", 1).await;
    publish(&stage, "quick", "after", 1).await;
    let one_match = Duration::from_millis(100);
    let mut fan_out = stage.fan_out(limited(Limits { one_match, ..Limits::default() }));

    assert_eq!(fan_out.drain().await.unwrap(), 5);
    assert_eq!(stage.count(FANNED_OUT).await, 4, "nobody wants the short one");
    let (tries, error) = stage.tries("long").await;
    assert_eq!(tries, 1);
    let error = error.unwrap_or_default();
    assert!(error.contains("filters take longer than 100ms"), "{error}");

    for _ in 2..=10 {
        stage.make_due().await;
        fan_out.drain().await.unwrap();
    }
    assert_eq!(stage.failed("long").await, (10, "fanout_refused".to_owned()));
    assert_eq!(stage.count(PENDING).await, 0);
}

#[tokio::test]
async fn the_time_for_matching_cuts_a_batch_and_the_rest_follows() {
    let stage = Stage::new().await;
    endpoints(&stage, "acme", Some(json!({ "data": { "list": ["no"] } })), 1).await;
    for event in 1..=4 {
        publish(&stage, "acme", &format!("e{event}"), 1).await;
    }
    let matching = Duration::ZERO;
    let mut fan_out = stage.fan_out(limited(Limits { matching, ..Limits::default() }));
    for left in [3, 2, 1, 0] {
        let pass = fan_out.pass().await.unwrap();
        assert_eq!((pass.fanned_out, pass.more), (1, left > 0));
        assert_eq!(stage.count(PENDING).await, left);
    }
}
