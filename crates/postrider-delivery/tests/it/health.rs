//! Endpoints that fail: circuits, pauses, disabling, and what others are told of it.

use std::time::{Duration, Instant};

use postrider_core::health::HealthPolicy;
use postrider_core::ids::EndpointId;
use postrider_store::admin::endpoints::{CHANGE_SETTLES, publish_test, set_enabled};
use postrider_testkit::{Behaviour, Reply};

use crate::stage::{Knobs, PATIENCE, Stage};

const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";
const OPENED: &str =
    "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit = 'open'";
const WAITING: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NULL AND attempts = 0";

fn knobs(owner: i64, open_after: u32, probe_after: Duration) -> Knobs {
    let health = HealthPolicy { open_after, probe_after, ..HealthPolicy::default() };
    Knobs { owner, health, ..Knobs::default() }
}

fn told(name: &str) -> String {
    format!("SELECT count(*) FROM postrider.webhook_events WHERE type = '{name}'")
}

async fn record(stage: &Stage, endpoint: EndpointId) -> (String, i32) {
    let sql = "SELECT circuit, consecutive_failures FROM postrider.webhook_endpoint_health WHERE endpoint_id = $1";
    let row = stage.client.query_one(sql, &[&endpoint.0]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_leaves_a_failing_endpoint_alone_and_what_waits_burns_no_attempt() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let minute = Duration::from_secs(60);
    let mut one = stage.worker(knobs(1, 10, minute)).await;
    let mut two = stage.worker(knobs(2, 10, minute)).await;
    for round in 0..4 {
        stage.publish("acme", &format!("r{round}-"), 50).await;
        let worker = if round % 2 == 0 { &mut one } else { &mut two };
        worker.fan_out.drain().await.unwrap();
    }
    stage.becomes(OPENED, 1).await;
    // Both know, whoever opened it: everything that was held is back in the database, without an attempt.
    let tried = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE attempts > 0";
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NOT NULL",
            0,
        )
        .await;
    let (sent, waiting) = (stage.receiver.count(), stage.count(WAITING).await);
    // Two workers, ten in flight in each, and one second at most until both know.
    assert!((10..=60).contains(&sent), "ten failures and what was in flight, not {sent}");
    assert_eq!(waiting + stage.count(tried).await, 200);
    // Retries fall due after a second, new events come in, and nothing is sent in either worker.
    stage.publish("acme", "late-", 50).await;
    one.fan_out.drain().await.unwrap();
    two.fan_out.drain().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.receiver.count(), sent, "nothing is sent while the circuit is open");
    assert_eq!(stage.count(WAITING).await, waiting + 50);
    assert_eq!(record(&stage, endpoint).await.0, "open");
    assert_eq!(stage.count(&told("endpoint.failing")).await, 1, "told once");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fleet_probes_one_at_a_time_and_waits_longer_each_time() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let probe_after = Duration::from_millis(300);
    let mut one = stage.worker(knobs(1, 5, probe_after)).await;
    let mut two = stage.worker(knobs(2, 5, probe_after)).await;
    stage.publish("acme", "a", 100).await;
    one.fan_out.drain().await.unwrap();
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit <> 'closed'",
            1,
        )
        .await;
    stage.publish("acme", "b", 100).await;
    two.fan_out.drain().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = stage.receiver.count();
    // A slow answer leaves the other worker time to send a second probe, if it were going to.
    stage.receiver.behave(
        "/down",
        Behaviour::Delay(Duration::from_millis(400), Box::new(Behaviour::status(500))),
    );
    let probes = async {
        while stage.receiver.count() < before + 3 {
            assert!(stage.receiver.open() <= 1, "one probe at a time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, probes).await.expect("three probes");
    stage.becomes("SELECT failed_probes::bigint FROM postrider.webhook_endpoint_health", 3).await;
    assert!(stage.count(WAITING).await > 150, "probes burn one attempt each, and the others none");
    assert_eq!(record(&stage, endpoint).await.0, "open");
    assert_eq!(stage.count(&told("endpoint.failing")).await, 1);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_recovery_one_two_four_are_in_flight_up_to_the_cap() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let mut worker = stage.worker(knobs(1, 5, Duration::from_millis(500))).await;
    stage.publish("acme", "a", 200).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPENED, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stage.receiver.forget();
    stage.receiver.behave("/down", Behaviour::delay(Duration::from_millis(100)));
    stage.becomes(DELIVERED, 200).await;
    let mut arrived: Vec<Instant> =
        stage.receiver.received_at("/down").iter().map(|r| r.at).collect();
    arrived.sort_unstable();
    let in_flight = |at: Instant| {
        arrived.iter().filter(|a| **a <= at && at < **a + Duration::from_millis(95)).count()
    };
    let most = |n: usize| arrived[..n].iter().map(|at| in_flight(*at)).max().unwrap();
    assert_eq!(most(2), 1, "the probe, then one");
    assert!(
        most(4) <= 2 && most(8) <= 4 && most(16) <= 8,
        "{} then {} then {}",
        most(4),
        most(8),
        most(16)
    );
    assert!((8..=10).contains(&most(200)), "{} at most", most(200));
    stage.becomes(&told("endpoint.recovered"), 1).await;
    let clean = "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit = 'closed' AND consecutive_failures = 0 AND first_failure_at IS NULL";
    stage.becomes(clean, 1).await;
    worker.stop().await;
}

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
async fn retry_after_pauses_the_endpoint_in_every_worker_and_the_wait_is_no_attempt() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/busy").await;
    let busy = Behaviour::Reply(Reply::new(429).header("retry-after", "4"));
    let delayed = Behaviour::Delay(Duration::from_millis(50), Box::new(busy));
    stage.receiver.behave("/busy", delayed);
    let mut one = stage.worker(knobs(1, 10, Duration::from_secs(60))).await;
    let mut two = stage.worker(knobs(2, 10, Duration::from_secs(60))).await;
    stage.publish("acme", "a", 100).await;
    one.fan_out.drain().await.unwrap();
    stage.becomes("SELECT count(*) FROM postrider.webhook_endpoint_health WHERE paused_until > clock_timestamp()", 1).await;
    stage.receiver.behave("/busy", Behaviour::status(200));
    // The other worker looks every second; in a fleet that can LISTEN it is told at once.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let paused = Instant::now();
    stage.publish("acme", "b", 100).await;
    two.fan_out.drain().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1200).saturating_sub(paused.elapsed())).await;
    let sent = stage.receiver.count();
    assert!(sent <= 20, "what was in flight when the answer came, not {sent}");
    assert_eq!(
        record(&stage, endpoint).await,
        ("closed".to_owned(), 0),
        "being busy is no failure"
    );
    stage.becomes(DELIVERED, 200).await;
    assert_eq!(stage.receiver.count(), 200 + sent, "each once more at most");
    let attempts = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE attempts > 2";
    assert_eq!(stage.count(attempts).await, 0);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trying_an_endpoint_out_says_nothing_about_its_health() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(410));
    let worker = stage.worker(knobs(1, 1, Duration::from_secs(60))).await;
    publish_test(&stage.pool, "acme", endpoint, "evt_test").await.unwrap();
    let rejected =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'rejected'";
    stage.becomes(rejected, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.count("SELECT count(*) FROM postrider.webhook_endpoint_health").await, 0);
    assert_eq!(
        stage.count("SELECT count(*) FROM postrider.webhook_endpoints WHERE enabled").await,
        1
    );
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_hanging_endpoints_than_a_worker_has_slots_are_left_alone_by_their_circuits() {
    let stage = Stage::new().await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    let hanging = 120;
    for number in 0..hanging {
        let tenant = format!("t{}", number / 20);
        stage.endpoint(&tenant, "/hangs").await;
    }
    stage.endpoint("acme", "/well").await;
    let health = HealthPolicy {
        open_after: 3,
        probe_after: Duration::from_secs(60),
        ..HealthPolicy::default()
    };
    let knobs =
        Knobs { health, timeout: Duration::from_millis(200), in_flight: 32, ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    for tenant in 0..hanging / 20 {
        stage.publish(&format!("t{tenant}"), "m", 30).await;
    }
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPENED, hanging).await;
    stage.publish("acme", "m", 300).await;
    let since = Instant::now();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 300).await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn successes_of_a_healthy_endpoint_write_nothing_about_its_health() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 500).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 500).await;
    worker.stop().await;
    assert_eq!(stage.count("SELECT count(*) FROM postrider.webhook_endpoint_health").await, 0);
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
