//! Endpoints that are disabled, by their receivers, by people and by time, and enabled again.

use std::time::{Duration, Instant};

use postrider_core::ids::EndpointId;
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::endpoints::{CHANGE_SETTLES, cancel_deliveries, set_enabled};
use postrider_store::deliveries::{self, Close, Records};
use postrider_testkit::{Behaviour, Reply};

use super::{DELIVERED, OPENED, knobs, told};
use crate::stage::{Knobs, PATIENCE, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_rejects_the_delivery_disables_the_endpoint_and_cancels_the_rest() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/gone").await;
    let everything = stage.endpoint_at("acme", &stage.receiver.url("/all"), &["*"]).await;
    let named = ["endpoint.disabled", "endpoint.failing"];
    let operator = stage.endpoint_at("acme", &stage.receiver.url("/operator"), &named).await;
    stage.receiver.behave(
        "/gone",
        Behaviour::Delay(Duration::from_millis(100), Box::new(Behaviour::status(410))),
    );
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 100).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(&told("endpoint.disabled"), 1).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_open", 0).await;
    worker.fan_out.drain().await.unwrap();
    let of = |status: &str, reason: &str| {
        format!(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE endpoint_id = '{}' AND status = '{status}' AND reason = '{reason}'",
            endpoint.0
        )
    };
    let rejected = stage.count(&of("rejected", "gone")).await;
    assert!((1..=10).contains(&rejected), "what was in flight, not {rejected}");
    stage.becomes(&of("cancelled", "endpoint_disabled"), 100 - rejected).await;
    let reason =
        "SELECT disabled_reason FROM postrider.webhook_endpoints WHERE id = $1 AND NOT enabled";
    let row = stage.client.query_one(reason, &[&endpoint.0]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "gone (410)");
    // Told by name, once, and not to who asked for everything.
    let told = |whom: EndpointId| {
        format!(
            "SELECT count(*) FROM postrider.webhook_deliveries d JOIN postrider.webhook_events e ON e.seq = d.event_seq WHERE e.type LIKE 'endpoint.%' AND d.endpoint_id = '{}'",
            whom.0
        )
    };
    stage.becomes(&told(operator), 1).await;
    assert_eq!(stage.count(&told(everything)).await, 0);
    let since = Instant::now();
    while stage.receiver.received_at("/operator").is_empty() && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let event = stage.receiver.received_at("/operator")[0].json();
    assert_eq!(event["data"]["endpoint_id"], endpoint.to_string());
    assert_eq!(event["data"]["reason"], "gone (410)");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_may_disable_its_endpoint_and_abort_a_message_by_a_header() {
    let stage = Stage::new().await;
    let says = |word: &str| Behaviour::Reply(Reply::new(500).header("webhook-delivery", word));
    stage.endpoint("t1", "/abort").await;
    stage.endpoint("t2", "/disable").await;
    stage.receiver.behave("/abort", says("abort-message"));
    stage.receiver.behave("/disable", says("disable"));
    stage.publish("t1", "a", 1).await;
    stage.publish("t2", "b", 1).await;
    let mut worker = stage.worker(Knobs::default()).await;
    worker.fan_out.drain().await.unwrap();
    let closed = |status: &str, reason: &str| {
        format!(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = '{status}' AND reason = '{reason}'"
        )
    };
    stage.becomes(&closed("rejected", "aborted_by_receiver"), 1).await;
    stage.becomes(&closed("cancelled", "endpoint_disabled"), 1).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_endpoints WHERE NOT enabled AND tenant_id = 't2'", 1).await;
    assert_eq!(stage.receiver.count(), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_enabled_again_starts_with_a_clean_record() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let mut worker = stage.worker(knobs(1, 5, Duration::from_secs(60))).await;
    stage.publish("acme", "a", 50).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPENED, 1).await;
    assert!(set_enabled(&stage.pool, endpoint, false, "by hand").await.unwrap());
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_open", 0).await;
    assert!(set_enabled(&stage.pool, endpoint, true, "").await.unwrap());
    assert!(!set_enabled(&stage.pool, endpoint, true, "").await.unwrap());
    stage.receiver.behave("/down", Behaviour::status(200));
    stage.publish("acme", "b", 50).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 50).await;
    // An answer that was under way when it was disabled may have been counted since, and a success has cleared it.
    let unwell = "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit <> 'closed' OR consecutive_failures > 0";
    stage.becomes(unwell, 0).await;
    for name in ["endpoint.disabled", "endpoint.enabled"] {
        assert_eq!(stage.count(&told(name)).await, 1, "{name} once for each change");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_starts_once_a_disabling_has_settled_though_the_worker_was_not_told() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    stage.receiver.behave("/in", Behaviour::delay(Duration::from_millis(100)));
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 2000).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(20, PATIENCE).await;
    // The worker's looks fail from here on: it can find out only by not trusting what it knows.
    stage
        .client
        .batch_execute("ALTER TABLE postrider.webhook_routing_versions RENAME TO moved")
        .await
        .unwrap();
    let disable = "ALTER TABLE postrider.webhook_endpoints DISABLE TRIGGER bump_routing_version; UPDATE postrider.webhook_endpoints SET enabled = false";
    stage.client.batch_execute(disable).await.unwrap();
    tokio::time::sleep(CHANGE_SETTLES).await;
    let sent = stage.receiver.count();
    assert!(sent < 1000, "the worker was still at it when it was disabled");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.receiver.count(), sent, "{endpoint} is disabled");
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_days_of_failing_disable_an_endpoint_after_a_warning() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let mut worker = stage.worker(knobs(1, 3, Duration::from_millis(200))).await;
    stage.publish("acme", "m", 50).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(&told("endpoint.failing"), 1).await;
    // The days pass in the rows, as a database's clock would have it.
    let since = |time: &str| {
        format!(
            "UPDATE postrider.webhook_endpoint_health SET revision = revision + 1, opened_at = clock_timestamp() - interval '{time}', warned_at = warned_at - interval '25 hours'"
        )
    };
    stage.client.batch_execute(&since("95 hours")).await.unwrap();
    let probes = "SELECT failed_probes::bigint FROM postrider.webhook_endpoint_health";
    let before = stage.count(probes).await;
    while stage.count(probes).await <= before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stage.count(&told("endpoint.failing")).await, 1, "not yet four fifths");
    stage.client.batch_execute(&since("97 hours")).await.unwrap();
    stage.becomes(&told("endpoint.failing"), 2).await;
    let warning = "SELECT count(*) FROM postrider.webhook_events WHERE envelope::json -> 'data' ->> 'reason' = 'will_be_disabled'";
    assert_eq!(stage.count(warning).await, 1);
    assert_eq!(stage.count(&told("endpoint.disabled")).await, 0, "warned first");
    // The probes come further and further apart; the next one need not be waited for.
    let probe_now = "UPDATE postrider.webhook_endpoint_health SET revision = revision + 1, next_probe_at = clock_timestamp()";
    stage.client.batch_execute(&since("121 hours")).await.unwrap();
    stage.client.batch_execute(probe_now).await.unwrap();
    worker.endpoints_changed.wake();
    stage.becomes(&told("endpoint.disabled"), 1).await;
    let row =
        "SELECT disabled_reason FROM postrider.webhook_endpoints WHERE id = $1 AND NOT enabled";
    let row = stage.client.query_one(row, &[&endpoint.0]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "no success for too long");
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_open", 0).await;
    let cancelled = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE reason = 'endpoint_disabled'";
    assert!(stage.count(cancelled).await > 40, "what it was owed is cancelled");
    assert_eq!(stage.count(&told("endpoint.failing")).await, 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_enabled_endpoint_is_owed_is_not_cancelled() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    stage.publish("acme", "m", 30).await;
    stage.fan_out_only().await;
    let cancel = async || cancel_deliveries(&stage.pool, endpoint, "endpoint_disabled").await;
    // Whoever disabled it is still at it, and somebody has enabled it again.
    assert_eq!(cancel().await.unwrap(), 0);
    stage.disable(endpoint).await;
    assert_eq!(cancel().await.unwrap(), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enabling_an_endpoint_sends_nothing_old_be_it_in_flight_or_left_by_a_dead_worker() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/slow").await;
    let failing = Behaviour::Delay(Duration::from_secs(1), Box::new(Behaviour::status(500)));
    stage.receiver.behave("/slow", failing);
    let mut worker = stage.worker(knobs(1, 50, Duration::from_secs(60))).await;
    stage.publish("acme", "flying", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(1, PATIENCE).await;
    stage.publish("acme", "left", 20).await;
    stage.fan_out_only().await;
    stage.disable(endpoint).await;
    assert!(set_enabled(&stage.pool, endpoint, true, "").await.unwrap());
    let cancelled = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'cancelled' AND reason = 'endpoint_disabled'";
    assert_eq!(stage.count(cancelled).await, 21, "as soon as it is enabled");
    stage.receiver.behave("/slow", Behaviour::status(200));
    stage.publish("acme", "new", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 1).await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let sent: Vec<_> =
        stage.receiver.received().iter().map(|request| request.id().to_owned()).collect();
    assert_eq!(sent, ["flying0", "new0"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_a_delivery_its_row_says_in_which_batch_it_was() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    stage.publish("acme", "m", 2).await;
    stage.fan_out_only().await;
    let batch =
        "UPDATE postrider.webhook_deliveries_open SET batch_id = gen_random_uuid(), attempts = 1";
    stage.client.execute(batch, &[]).await.unwrap();
    let lease = Duration::from_secs(60);
    let pulled = deliveries::pull(&stage.pool, endpoint, 1, 1, lease).await.unwrap().deliveries;
    let close = Close {
        id: pulled[0].id,
        next_of: None,
        lease_no: pulled[0].lease_no,
        attempts: 2,
        status: DeliveryStatus::Delivered,
        reason: None,
        http_status: Some(200),
        duration: None,
        error: None,
    };
    let records = Records { closes: vec![close], ..Records::default() };
    assert_eq!(deliveries::record(&stage.pool, 1, &records).await.unwrap().closed, 1);
    stage.disable(endpoint).await;
    cancel_deliveries(&stage.pool, endpoint, "endpoint_disabled").await.unwrap();
    let kept = "SELECT count(DISTINCT batch_id) FROM postrider.webhook_deliveries_closed";
    assert_eq!(stage.count(kept).await, 2);
}
