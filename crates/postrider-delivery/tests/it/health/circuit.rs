//! Circuits and pauses: an endpoint that fails is left alone by the whole fleet, probed, and drained slowly when it is back.

use std::time::{Duration, Instant};

use postrider_core::health::HealthPolicy;
use postrider_store::admin::endpoints::publish_test;
use postrider_testkit::{Behaviour, Reply};

use super::{DELIVERED, OPENED, WAITING, knobs, record, told};
use crate::stage::{Knobs, PATIENCE, Stage};

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
    // The other worker looks every second, if looking is cheap; in a fleet that can LISTEN it is told at once.
    two.endpoints_changed.wake();
    tokio::time::sleep(Duration::from_millis(500)).await;
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
async fn the_fleet_is_told_once_when_a_circuit_opens_and_once_when_it_closes() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let mut worker = stage.worker(knobs(1, 5, Duration::from_secs(1))).await;
    let control = stage.control().await;
    stage.publish("acme", "a", 50).await;
    worker.fan_out.drain().await.unwrap();
    tokio::time::timeout(PATIENCE, control.endpoints_knocked()).await.expect("it opened");
    assert_eq!(stage.count(OPENED).await, 1, "whoever is told finds it so");
    let quiet = Duration::from_millis(300);
    assert!(tokio::time::timeout(quiet, control.endpoints_knocked()).await.is_err());
    stage.receiver.behave("/down", Behaviour::status(200));
    tokio::time::timeout(PATIENCE, control.endpoints_knocked()).await.expect("it closed");
    stage.becomes(OPENED, 0).await;
    stage.becomes(DELIVERED, 50).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_looks_at_once() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    let worker = stage.worker(knobs(1, 5, Duration::from_secs(60))).await;
    let opened =
        || worker.metrics.encode().contains("postrider_endpoints_unwell{state=\"open\"} 1");
    // Looking by itself it would find each of these within a second: six times in a row within a fifth of one it does not.
    for round in 0..6 {
        let open = round % 2 == 0;
        let sql = match open {
            true => {
                "INSERT INTO postrider.webhook_endpoint_health (endpoint_id, circuit, next_probe_at, first_failure_at) VALUES ($1, 'open', clock_timestamp() + interval '1 hour', clock_timestamp())"
            }
            false => "DELETE FROM postrider.webhook_endpoint_health WHERE endpoint_id = $1",
        };
        stage.client.execute(sql, &[&endpoint.0]).await.unwrap();
        worker.endpoints_changed.wake();
        let since = Instant::now();
        while opened() != open {
            assert!(since.elapsed() < Duration::from_millis(200), "round {round}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_expired_during_an_outage_take_no_probe_from_those_that_live() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/down").await;
    stage.receiver.behave("/down", Behaviour::status(500));
    let mut worker = stage.worker(knobs(1, 3, Duration::from_secs(1))).await;
    stage.publish("acme", "old", 150).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPENED, 1).await;
    let expire =
        "UPDATE postrider.webhook_events SET expires_at = clock_timestamp() - interval '1 minute'";
    stage.client.batch_execute(expire).await.unwrap();
    stage.publish("acme", "new", 1).await;
    stage.receiver.behave("/down", Behaviour::status(200));
    let back = Instant::now();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 1).await;
    assert!(back.elapsed() < Duration::from_secs(4), "{:?}", back.elapsed());
    let expired =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'expired'";
    stage.becomes(expired, 150).await;
    stage.becomes(OPENED, 0).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_that_a_receiver_asks_for_take_no_attempt_of_the_schedule() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/busy").await;
    let schedule = "UPDATE postrider.webhook_endpoints SET retry_schedule_ms = '{1000}'";
    stage.client.execute(schedule, &[]).await.unwrap();
    let busy = Behaviour::Reply(Reply::new(429).header("retry-after", "1"));
    let steps = vec![busy.clone(), busy.clone(), busy, Behaviour::status(200)];
    stage.receiver.behave("/busy", Behaviour::Sequence(steps));
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 1).await;
    let attempts =
        stage.count("SELECT attempts::bigint FROM postrider.webhook_deliveries_closed").await;
    assert_eq!(attempts, 1, "the one that was accepted");
    let kept = "SELECT count(*) FROM postrider.webhook_attempts WHERE attempt = 1 AND status = 429 AND outcome = 'retry'";
    assert_eq!(stage.count(kept).await, 3, "each request is in the history");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds_keeps_no_other_endpoints_health() {
    let stage = Stage::new().await;
    let gone = stage.endpoint("t1", "/gone").await;
    stage.endpoint("t2", "/down").await;
    let down = stage.endpoint("t3", "/later").await;
    stage.receiver.behave("/gone", Behaviour::status(410));
    let late = Behaviour::Delay(Duration::from_millis(200), Box::new(Behaviour::status(500)));
    stage.receiver.behave("/later", late);
    stage.receiver.behave("/down", Behaviour::status(500));
    for tenant in ["t1", "t2", "t3"] {
        stage.publish(tenant, "m", 20).await;
    }
    stage.fan_out_only().await;
    // Its health cannot be written while the endpoint's row is locked, nor can it be disabled.
    let other = stage.another_client().await;
    let lock =
        "BEGIN; SELECT FROM postrider.webhook_endpoints WHERE tenant_id IN ('t1', 't2') FOR UPDATE";
    other.batch_execute(lock).await.unwrap();
    let worker = stage.worker(knobs(1, 5, Duration::from_secs(60))).await;
    let since = Instant::now();
    stage.becomes(OPENED, 1).await;
    assert_eq!(record(&stage, down).await.0, "open");
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    other.batch_execute("ROLLBACK").await.unwrap();
    let disabled = format!(
        "SELECT count(*) FROM postrider.webhook_endpoints WHERE id = '{}' AND NOT enabled",
        gone.0
    );
    stage.becomes(&disabled, 1).await;
    stage.becomes(OPENED, 2).await;
    // Each failure counts, and counts once.
    let counted =
        "SELECT count(*) FROM postrider.webhook_endpoint_health h WHERE h.consecutive_failures =
        (SELECT count(*) FROM postrider.webhook_attempts a WHERE a.endpoint_id = h.endpoint_id)";
    stage.becomes(counted, 2).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_is_one_delivery_also_of_an_endpoint_that_has_an_order() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/down").await;
    let order = "UPDATE postrider.webhook_endpoints SET ordering = 'key'";
    stage.client.execute(order, &[]).await.unwrap();
    stage.receiver.behave("/down", Behaviour::status(500));
    let mut worker = stage.worker(knobs(1, 3, Duration::from_secs(1))).await;
    stage.publish("acme", "m", 20).await;
    let keyed = "SELECT postrider.publish_v1('acme', 'k' || i, 'email.received', '{}', NULL, NULL, 'k' || i % 5, NULL, NULL, true) FROM generate_series(1, 20) i";
    stage.client.execute(keyed, &[]).await.unwrap();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPENED, 1).await;
    let leased =
        "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NOT NULL";
    stage.becomes(leased, 0).await;
    stage.receiver.behave("/down", Behaviour::Hang);
    let begun = Instant::now();
    while stage.receiver.open() == 0 {
        assert!(begun.elapsed() < PATIENCE, "no probe");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stage.count(leased).await, 1);
    // A worker that is stopped in the middle of its probe leaves it to the others.
    worker.stop.request_hard();
    worker.stop().await;
    assert_eq!(stage.count(OPENED).await, 1);
    let free = "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE probe_owner IS NULL AND next_probe_at <= clock_timestamp()";
    assert_eq!(stage.count(free).await, 1);
}
