//! What tenants and everybody may do at once, who is next where slots are scarce, and when fan-out waits.

use std::time::{Duration, Instant};

use postrider_delivery::Limits;
use postrider_testkit::{Behaviour, Receiver};

use crate::stage::{Knobs, PATIENCE, Stage};

const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";

impl Stage {
    async fn limit_tenant(&self, tenant: &str, in_flight: Option<i32>, rate: Option<i32>) {
        let set = "INSERT INTO postrider.tenants (tenant_id, max_in_flight, rate_limit) VALUES ($1, $2, $3) \
                   ON CONFLICT (tenant_id) DO UPDATE SET max_in_flight = $2, rate_limit = $3";
        self.client.execute(set, &[&tenant, &in_flight, &rate]).await.unwrap();
    }

    /// Another worker that delivers enters the fleet; nobody is there.
    async fn another_worker(&self) {
        let enter = "INSERT INTO postrider.webhook_workers (name, pid, version, roles, liveness, wakeup) \
                     VALUES ('other', 1, '0', '{delivery}', 'heartbeat', 'poll')";
        self.client.execute(enter, &[]).await.unwrap();
    }
}

/// The most that came within any one second.
fn fullest_second(receiver: &Receiver) -> usize {
    let arrived: Vec<Instant> = receiver.received().iter().map(|r| r.at).collect();
    let second = Duration::from_secs(1);
    let after = |at: &Instant| arrived.iter().filter(|b| *b >= at && **b - *at < second).count();
    arrived.iter().map(after).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_keeps_to_its_requests_in_flight_and_the_others_know_nothing_of_it() {
    let (stage, others) = (Stage::new().await, Receiver::start().await);
    for receiver in [&stage.receiver, &others] {
        receiver.behave_by_default(Behaviour::delay(Duration::from_millis(100)));
    }
    stage.limit_tenant("acme", Some(4), None).await;
    for path in ["/a", "/b", "/c"] {
        stage.endpoint("acme", path).await;
        stage.endpoint_at("globex", &others.url(path), &["*"]).await;
    }
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 20).await;
    stage.publish("globex", "m", 20).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 120).await;
    assert_eq!(stage.receiver.most_open(), 4);
    assert!(others.most_open() > 20, "{} at once, where 30 may be", others.most_open());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_its_part_of_its_limit_in_each_worker_and_a_change_reaches_a_worker_that_runs()
{
    let stage = Stage::new().await;
    stage.receiver.behave_by_default(Behaviour::delay(Duration::from_millis(50)));
    stage.limit_tenant("acme", Some(6), None).await;
    for path in ["/a", "/b"] {
        stage.endpoint("acme", path).await;
    }
    stage.another_worker().await;
    stage.another_worker().await;
    let mut worker = stage.worker(Knobs::default()).await;
    tokio::time::sleep(Duration::from_millis(500)).await; // it learns of the other two
    stage.publish("acme", "m", 20).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 40).await;
    assert_eq!(stage.receiver.most_open(), 3, "half of six: the worker itself is not in the fleet");
    stage.limit_tenant("acme", Some(16), None).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stage.publish("acme", "n", 100).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 240).await;
    assert_eq!(stage.receiver.most_open(), 8);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_keeps_to_its_rate_over_all_its_endpoints() {
    let stage = Stage::new().await;
    stage.limit_tenant("acme", None, Some(100)).await;
    for path in ["/a", "/b", "/c"] {
        stage.endpoint("acme", path).await;
    }
    stage.endpoint("globex", "/other").await;
    let mut worker = stage.worker(Knobs::default()).await;
    let begun = Instant::now();
    stage.publish("acme", "m", 70).await;
    stage.publish("globex", "m", 500).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 710).await;
    assert!(begun.elapsed() > Duration::from_millis(1900), "after {:?}", begun.elapsed());
    let others = stage.receiver.received_at("/other");
    assert_eq!(others.len(), 500);
    let last = stage.receiver.received().last().unwrap().at;
    assert!(others.last().unwrap().at < last, "the other is not kept to that rate");
    for path in ["/a", "/b", "/c"] {
        let early = stage.receiver.received_at(path);
        let early = early.iter().filter(|r| r.at - begun < Duration::from_secs(2)).count();
        assert!(early > 40, "{early} of 70 to {path} in two seconds: they take turns");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_together_keeps_to_the_limits_of_the_installation() {
    let stage = Stage::new().await;
    stage.receiver.behave_by_default(Behaviour::delay(Duration::from_millis(20)));
    for tenant in ["acme", "globex", "initech"] {
        stage.endpoint(tenant, "/in").await;
    }
    let limits = Limits { in_flight: Some(5), rate: Some(120) };
    let mut worker = stage.worker(Knobs { limits, ..Knobs::default() }).await;
    for tenant in ["acme", "globex", "initech"] {
        stage.publish(tenant, "m", 80).await;
    }
    let begun = Instant::now();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 240).await;
    assert!(begun.elapsed() > Duration::from_millis(1800), "after {:?}", begun.elapsed());
    let (most, open) = (fullest_second(&stage.receiver), stage.receiver.most_open());
    assert!(most <= 120 + 5, "{most} in the fullest second");
    assert!(open <= 5, "{open} in flight");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_that_hang_leave_half_of_a_tenants_places_to_first_attempts() {
    let stage = Stage::new().await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    stage.limit_tenant("acme", Some(4), None).await;
    for _ in 0..2 {
        stage.endpoint("acme", "/hangs").await;
    }
    stage.publish("acme", "m", 15).await;
    stage.fan_out_only().await;
    let tried = "UPDATE postrider.webhook_deliveries_open SET attempts = 1";
    assert_eq!(stage.client.execute(tried, &[]).await.unwrap(), 30);
    let knobs = Knobs { timeout: Duration::from_secs(30), ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    stage.receiver.wait_for(2, PATIENCE).await;
    let no_more = "UPDATE postrider.webhook_endpoints SET event_types = '{email.lost}'";
    stage.client.execute(no_more, &[]).await.unwrap();
    stage.endpoint("acme", "/well").await;
    stage.publish("acme", "n", 50).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 50).await;
    assert_eq!(stage.receiver.received_at("/well").len(), 50);
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_lane_of_a_tenant_is_not_starved_by_hundreds_of_another() {
    let stage = Stage::new().await;
    stage.receiver.behave("/hangs", Behaviour::Hang);
    let many = "UPDATE postrider.installation SET max_endpoints_per_tenant = 1000";
    stage.client.execute(many, &[]).await.unwrap();
    for _ in 0..400 {
        stage.endpoint("crowd", "/hangs").await;
    }
    stage.endpoint("single", "/well").await;
    let knobs = Knobs { in_flight: 16, timeout: Duration::from_secs(1), ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    stage.publish("crowd", "m", 4).await;
    worker.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(16, PATIENCE).await;
    stage.publish("single", "m", 40).await;
    let begun = Instant::now();
    worker.fan_out.drain().await.unwrap();
    // In the order of their coming, each of them would wait for hundreds that hang for a second, sixteen at once.
    stage.becomes(DELIVERED, 40).await;
    assert!(begun.elapsed() < Duration::from_secs(6), "after {:?}", begun.elapsed());
    worker.stop.request_hard();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fan_out_waits_while_the_recorder_is_behind() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    let other = stage.another_client().await;
    let lock = "BEGIN; LOCK TABLE postrider.webhook_deliveries_closed IN EXCLUSIVE MODE";
    other.batch_execute(lock).await.unwrap();
    let mut worker = stage.worker(Knobs::default()).await;
    stage.publish("acme", "m", 4000).await;
    worker.fan_out.drain().await.unwrap();
    assert!(stage.receiver.arrives(3500, PATIENCE).await, "{} came", stage.receiver.count());
    stage.publish("acme", "n", 10).await;
    let begun = Instant::now();
    worker.fan_out.pass().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(900), "it waited {:?}", begun.elapsed());
    other.batch_execute("ROLLBACK").await.unwrap();
    stage.becomes(DELIVERED, 4010).await;
    stage.publish("acme", "o", 10).await;
    let begun = Instant::now();
    worker.fan_out.pass().await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(900), "it waited {:?}", begun.elapsed());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_fills_the_memory_does_not_keep_another_from_being_sent_to() {
    let stage = Stage::new().await;
    stage.receiver.behave("/in", Behaviour::delay(Duration::from_millis(20)));
    for _ in 0..20 {
        stage.endpoint("crowd", "/in").await;
    }
    stage.endpoint("single", "/well").await;
    // Room for 25 of these envelopes, of which two thousand wait.
    let knobs = Knobs { lane_bytes: 500_000, ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    stage.publish_large("crowd", 100, 20_000).await;
    worker.fan_out.drain().await.unwrap();
    assert!(stage.receiver.arrives(100, PATIENCE).await);
    stage.publish_large("single", 40, 20_000).await;
    worker.fan_out.drain().await.unwrap();
    let begun = Instant::now();
    let of_single =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE tenant_id = 'single'";
    stage.becomes(of_single, 40).await;
    let took = begun.elapsed();
    let left = stage.count("SELECT count(*) FROM postrider.webhook_deliveries_open").await;
    assert!(left > 500, "{left} were left after {took:?}: they did not wait for all others");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_with_a_rate_leases_no_more_than_it_can_start_before_its_attempts_would_outlast_the_lease()
 {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    let set = "UPDATE postrider.webhook_endpoints SET rate_limit = 5 WHERE id = $1";
    stage.client.execute(set, &[&endpoint.0]).await.unwrap();
    let short = Duration::from_secs(16);
    let mut worker = stage.worker(Knobs { lease: short, ..Knobs::default() }).await;
    stage.publish("acme", "m", 35).await;
    let begun = Instant::now();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 35).await;
    // Seven seconds at five a second; what is dropped as too late, after six, comes back when its lease ends, after seventeen.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    worker.stop().await;
}
