//! Batches: when they go, that they never change, and what becomes of their members.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use postrider_core::batch::Encoding;
use postrider_core::format::Format;
use postrider_core::health::HealthPolicy;
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use postrider_core::signing::{Secret, verify};
use postrider_core::status::DeliveryStatus;
use postrider_store::batches::{self, BatchClaim, BatchRecords, Leased, Plan, PlannedBatch};
use postrider_store::deliveries::Close;
use postrider_testkit::{Behaviour, Received, Reply};
use serde_json::{Value, json};

use crate::stage::{Knobs, Stage, Worker};

const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";
const BATCHES: &str = "SELECT count(*) FROM postrider.webhook_delivery_batches";
const WAIT: i32 = 200;

impl Stage {
    /// An endpoint with batches, retried quickly.
    async fn batching(&self, events: i16, wait_ms: i32, bytes: i32) -> EndpointId {
        let id = self.endpoint("acme", "/in").await;
        let set = "UPDATE postrider.webhook_endpoints SET batch_max_events = $2, batch_max_wait_ms = $3, batch_max_bytes = $4, batch_encoding = 'array', retry_schedule_ms = '{100,100,100,100,100}' WHERE id = $1";
        self.client.execute(set, &[&id.0, &events, &wait_ms, &bytes]).await.unwrap();
        id
    }

    async fn change(&self, endpoint: EndpointId, what: &str) {
        let sql = format!("UPDATE postrider.webhook_endpoints SET {what} WHERE id = $1");
        assert_eq!(self.client.execute(&sql, &[&endpoint.0]).await.unwrap(), 1);
    }

    /// The sizes of the batches that arrived, in this order.
    fn sizes(&self) -> Vec<usize> {
        self.receiver.received_at("/in").iter().map(|r| members(r).len()).collect()
    }

    /// A worker that has fanned out what was published.
    async fn at_work(&self, knobs: Knobs) -> Worker {
        let mut worker = self.worker(knobs).await;
        worker.fan_out.drain().await.unwrap();
        worker
    }
}

/// The events of a request, in the order of its body.
fn members(request: &Received) -> Vec<String> {
    let Value::Array(items) = request.json() else { return vec![request.id().to_owned()] };
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Asserts that requests of one id had one body.
fn assert_unchanged(requests: &[Received]) {
    let mut bodies = BTreeMap::new();
    for request in requests {
        let body = bodies.entry(request.id()).or_insert(&request.body);
        assert_eq!(*body, &request.body, "{} had another body before", request.id());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_goes_when_it_is_full_and_the_rest_waits() {
    let stage = Stage::new().await;
    stage.batching(10, 60_000, 1 << 20).await;
    stage.publish("acme", "e", 25).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(DELIVERED, 20).await;
    assert_eq!(stage.sizes(), [10, 10]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((stage.receiver.count(), stage.count(OPEN).await), (2, 5), "five wait for others");
    assert_eq!(stage.count(BATCHES).await, 0, "a batch that is delivered is over");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_goes_incomplete_when_its_oldest_has_waited() {
    let stage = Stage::new().await;
    stage.batching(100, WAIT, 1 << 20).await;
    let mut worker = stage.worker(Knobs::default()).await;
    let begun = Instant::now();
    for n in 0..3 {
        stage.publish("acme", &format!("e{n}-"), 1).await;
        worker.fan_out.drain().await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    stage.becomes(OPEN, 0).await;
    let request = stage.receiver.received_at("/in").remove(0);
    assert_eq!(members(&request), ["e0-0", "e1-0", "e2-0"]);
    let waited = request.at - begun;
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    assert!(waited < Duration::from_millis(1500), "a timer says when, not the walk: {waited:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_batch_has_more_bytes_than_it_may_and_a_larger_event_goes_alone() {
    let stage = Stage::new().await;
    stage.batching(500, WAIT, 8192).await;
    stage.publish_large("acme", 20, 1500).await;
    stage.publish("acme", "e", 3).await;
    stage.client.execute("SELECT postrider.publish_v1('acme', 'giant', 'email.received', to_json(repeat('x', 20000)), NULL, NULL, NULL, NULL, NULL, true)", &[]).await.unwrap();
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    let requests = stage.receiver.received_at("/in");
    for request in &requests {
        let of = members(request);
        assert!(request.body.len() <= 8192 || of == ["giant"], "{} of {of:?}", request.body.len());
    }
    assert_eq!(requests.iter().map(|r| members(r).len()).sum::<usize>(), 24);
    assert!((5..=7).contains(&requests.len()), "{:?}", stage.sizes());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_signed_as_a_whole_and_says_what_it_is() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(3, 60_000, 1 << 20).await;
    stage.publish("acme", "e", 3).await;
    let mut worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    let request = stage.receiver.received_at("/in").remove(0);
    assert!(request.id().starts_with("btc_"), "{}", request.id());
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.json()[1]["data"], json!({ "n": 1 }));
    assert_verified(&request);
    stage.change(endpoint, "format = 'cloudevents', batch_encoding = 'ndjson'").await;
    stage.publish("acme", "f", 3).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    let request = stage.receiver.received_at("/in").remove(1);
    assert_eq!(request.header("content-type"), "application/x-ndjson");
    let text = std::str::from_utf8(&request.body).unwrap();
    let ids: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, ["f0", "f1", "f2"]);
    assert_verified(&request);
    worker.stop().await;
}

/// As a receiver verifies any other webhook.
fn assert_verified(request: &Received) {
    let secret = Secret::from_bytes(&[7; 32]).unwrap();
    let (id, timestamp) = (request.id(), request.header("webhook-timestamp"));
    let now = jiff::Timestamp::from_second(timestamp.parse().unwrap()).unwrap();
    let signature = request.header("webhook-signature");
    verify(&[secret], id, timestamp, signature, &request.body, now, Duration::from_secs(1))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_retry_has_the_same_id_members_and_bytes_whatever_the_endpoint_says_by_then() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(5, 60_000, 1 << 20).await;
    stage.receiver.behave("/in", Behaviour::statuses([500, 503, 500, 200]));
    stage.publish("acme", "e", 5).await;
    let mut worker = stage.at_work(Knobs::default()).await;
    stage.receiver.wait_for(1, Duration::from_secs(5)).await;
    stage.change(endpoint, "format = 'raw', batch_max_events = 2, batch_encoding = 'ndjson'").await;
    // Others neither join it nor take one of its places.
    stage.publish("acme", "later", 1).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 5).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(requests.len(), 4);
    assert_unchanged(&requests);
    let ids: BTreeSet<&str> = requests.iter().map(Received::id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        requests.iter().map(|r| r.header("webhook-attempt")).collect::<Vec<_>>(),
        ["1", "2", "3", "4"]
    );
    // In the history each member has its attempts, and the answer is there once.
    let failed = "SELECT count(*) FROM postrider.webhook_attempts a WHERE a.outcome = 'retry' AND a.batch_id IS NOT NULL";
    assert_eq!(stage.count(failed).await, 15);
    assert_eq!(stage.count(&format!("{failed} AND a.response_headers IS NOT NULL")).await, 3);
    let closed = "SELECT count(*) FROM postrider.webhook_deliveries_closed d WHERE d.attempts = 4 AND d.batch_id IS NOT NULL AND d.last_status = 200";
    assert_eq!(stage.count(closed).await, 5);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_refuses_by_itself_goes_by_itself_from_then_on() {
    let stage = Stage::new().await;
    stage.batching(6, 60_000, 1 << 20).await;
    let results = json!({ "results": [
        { "id": "e1", "status": 500 }, { "index": 4, "status": 422 }, { "id": "e5", "status": 410 }, { "id": "stranger", "status": 500 },
    ]});
    let split = Behaviour::Reply(Reply::new(200).body(results.to_string()));
    stage.receiver.behave("/in", Behaviour::Sequence(vec![split, Behaviour::status(200)]));
    stage.publish("acme", "e", 6).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    let requests = stage.receiver.received_at("/in");
    let mut singles: Vec<&str> = requests[1..].iter().map(Received::id).collect();
    singles.sort_unstable();
    assert_eq!(singles, ["e1", "e4"]);
    assert_eq!(requests[1].json()["event"], "email.received", "an event as any other");
    assert_eq!(requests[1].header("webhook-attempt"), "2");
    assert_eq!(stage.count(DELIVERED).await, 5);
    let gone = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'rejected' AND reason = 'gone' AND last_status = 410";
    assert_eq!(stage.count(gone).await, 1);
    let enabled = "SELECT count(*) FROM postrider.webhook_endpoints WHERE enabled";
    assert_eq!((stage.count(enabled).await, stage.count(BATCHES).await), (1, 0));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_207_that_says_nothing_of_an_event_has_not_accepted_it() {
    let stage = Stage::new().await;
    stage.batching(3, 60_000, 1 << 20).await;
    let results = json!({ "results": [{ "id": "e0", "status": 200 }] }).to_string();
    let steps = vec![
        Behaviour::Reply(Reply::new(207).body("not what was agreed")),
        Behaviour::Reply(Reply::new(207).body(results)),
        Behaviour::status(200),
    ];
    stage.receiver.behave("/in", Behaviour::Sequence(steps));
    stage.publish("acme", "e", 3).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(DELIVERED, 3).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(requests[0].id(), requests[1].id(), "unreadable: the whole again");
    assert_eq!(requests.len(), 4);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_workers_batch_is_sent_again_by_another_as_it_was() {
    let stage = Stage::new().await;
    stage.batching(7, 60_000, 1 << 20).await;
    stage.receiver.behave("/in", Behaviour::delay(Duration::from_millis(300)));
    stage.publish("acme", "e", 21).await;
    let short = |owner| Knobs {
        owner,
        lease: Duration::from_secs(12),
        timeout: Duration::from_secs(1),
        ..Knobs::default()
    };
    let one = stage.at_work(short(1)).await;
    stage.receiver.wait_for(3, Duration::from_secs(5)).await;
    // Dropped with its requests answered or about to be: nothing is recorded any more, no lease given back.
    one.stop.request_hard();
    drop(one);
    assert_eq!(stage.count(BATCHES).await, 3);
    let two = stage.worker(short(2)).await;
    let begun = Instant::now();
    while stage.count(OPEN).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(25), "it is sent once the leases end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let requests = stage.receiver.received_at("/in");
    assert_unchanged(&requests);
    let ids: BTreeSet<&str> = requests.iter().map(Received::id).collect();
    assert_eq!((requests.len(), ids.len()), (6, 3), "each twice");
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_workers_batch_is_due_at_once_and_stays_what_it_is() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(5, 50, 1 << 20).await;
    stage.receiver.behave("/in", Behaviour::Hang);
    stage.publish("acme", "e", 8).await;
    let one = stage.at_work(Knobs::default()).await;
    stage.receiver.wait_for(2, Duration::from_secs(5)).await;
    one.stop.request_hard();
    assert_eq!(one.delivery.finish().await.released, 8, "every member's lease");
    stage.receiver.behave("/in", Behaviour::status(200));
    // The batch of three is one already: it waits for nobody.
    stage.change(endpoint, "batch_max_wait_ms = 60000").await;
    let two = stage.worker(Knobs { owner: 2, ..Knobs::default() }).await;
    stage.becomes(DELIVERED, 8).await;
    let requests = stage.receiver.received_at("/in");
    assert_unchanged(&requests);
    let ids: BTreeSet<&str> = requests.iter().map(Received::id).collect();
    assert_eq!((requests.len(), ids.len()), (4, 2));
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_with_a_member_in_other_hands_waits_and_is_not_taken_for_broken() {
    let stage = Stage::new().await;
    stage.batching(4, 60_000, 1 << 20).await;
    stage.receiver.behave("/in", Behaviour::statuses([500, 200]));
    stage.publish("acme", "e", 4).await;
    let holder = stage.another_client().await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_attempts", 4).await;
    // As another worker's claim, or an operator's statement, holds a row for a moment.
    holder
        .batch_execute(
            "BEGIN; SELECT FROM postrider.webhook_deliveries_open ORDER BY id LIMIT 1 FOR UPDATE",
        )
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(stage.receiver.count(), 1, "the others do not go without it");
    holder.batch_execute("ROLLBACK").await.unwrap();
    stage.becomes(DELIVERED, 4).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(requests.len(), 2);
    assert_unchanged(&requests);
    assert_eq!(requests[0].id(), requests[1].id());
    worker.stop().await;
}

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
async fn a_member_that_expires_while_its_batch_waits_for_its_turn_is_not_sent() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(2, 60_000, 1 << 20).await;
    stage.change(endpoint, "rate_limit = 1").await;
    stage.publish("acme", "e", 3).await;
    stage.client.execute("SELECT postrider.publish_v1('acme', 'brief', 'email.received', '{}', NULL, NULL, NULL, interval '700 milliseconds', NULL, true)", &[]).await.unwrap();
    let worker = stage.at_work(Knobs::default()).await;
    let batches = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NOT NULL AND batch_id IS NOT NULL";
    stage.receiver.wait_for(1, Duration::from_secs(5)).await;
    // The second one is in memory, and waits for its second.
    stage.becomes(batches, 2).await;
    stage.becomes(OPEN, 0).await;
    assert_eq!(stage.sizes(), [2, 1]);
    assert_eq!(members(&stage.receiver.received_at("/in")[1]), ["e2"]);
    let expired =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'expired'";
    assert_eq!((stage.count(expired).await, stage.count(DELIVERED).await), (1, 3));
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
async fn two_workers_never_put_an_event_into_two_batches() {
    let stage = Stage::new().await;
    stage.batching(8, 20, 1 << 20).await;
    let flaky = |request: &Received| {
        let fails = request.sequence.wrapping_mul(2_654_435_761).is_multiple_of(5);
        Behaviour::Delay(
            Duration::from_millis(3),
            Box::new(Behaviour::status(if fails { 500 } else { 200 })),
        )
    };
    stage.receiver.behave("/in", Behaviour::ask(flaky));
    let mut one = stage.worker(Knobs { owner: 1, ..Knobs::default() }).await;
    let mut two = stage.worker(Knobs { owner: 2, ..Knobs::default() }).await;
    for round in 0..20 {
        stage.publish("acme", &format!("r{round}-"), 50).await;
        let (a, b) = tokio::join!(one.fan_out.drain(), two.fan_out.drain());
        a.unwrap();
        b.unwrap();
    }
    stage.becomes(OPEN, 0).await;
    let requests = stage.receiver.received_at("/in");
    assert_unchanged(&requests);
    let mut of_event: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut accepted: BTreeMap<String, u32> = BTreeMap::new();
    for request in &requests {
        for event in members(request) {
            *accepted.entry(event.clone()).or_default() += u32::from(request.answered == Some(200));
            of_event.entry(event).or_default().insert(request.id());
        }
    }
    assert_eq!(of_event.len(), 1000);
    assert!(of_event.values().all(|ids| ids.len() == 1), "one batch each");
    assert!(accepted.values().all(|times| *times == 1), "accepted once each");
    assert_eq!(stage.count(BATCHES).await, 0);
    one.stop().await;
    two.stop().await;
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
async fn a_batch_of_which_a_member_expires_is_followed_by_another_without_it() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(3, 60_000, 1 << 20).await;
    stage.change(endpoint, "retry_schedule_ms = '{1500,1500}'").await;
    stage.receiver.behave("/in", Behaviour::statuses([500, 200]));
    stage.publish("acme", "e", 2).await;
    stage.client.execute("SELECT postrider.publish_v1('acme', 'brief', 'email.received', '{}', NULL, NULL, NULL, interval '1200 milliseconds', NULL, true)", &[]).await.unwrap();
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(stage.sizes(), [3, 2]);
    assert_ne!(requests[0].id(), requests[1].id());
    assert_eq!(members(&requests[1]), ["e0", "e1"]);
    let expired =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'expired'";
    assert_eq!((stage.count(expired).await, stage.count(DELIVERED).await), (1, 2));
    assert_eq!(stage.count(BATCHES).await, 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expired_before_it_was_ever_sent_is_in_no_batch() {
    let stage = Stage::new().await;
    stage.batching(100, 400, 1 << 20).await;
    stage.publish("acme", "e", 2).await;
    stage.client.execute("SELECT postrider.publish_v1('acme', 'brief', 'email.received', '{}', NULL, NULL, NULL, interval '100 milliseconds', NULL, true)", &[]).await.unwrap();
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    assert_eq!(stage.sizes(), [2]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_member_ends_the_batch_and_disabling_ends_all() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(4, 60_000, 1 << 20).await;
    stage.change(endpoint, "retry_schedule_ms = '{1000,3000,3000}'").await;
    stage.receiver.behave("/in", Behaviour::status(500));
    stage.publish("acme", "e", 4).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_attempts", 4).await;
    // As retention closes one whose body goes: by itself, unleased.
    let gone = "DELETE FROM postrider.webhook_deliveries_open d USING postrider.webhook_events e WHERE e.seq = d.event_seq AND e.id = 'e2'";
    assert_eq!(stage.client.execute(gone, &[]).await.unwrap(), 1);
    stage.receiver.wait_for(2, Duration::from_secs(5)).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(members(&requests[1]), ["e0", "e1", "e3"]);
    assert_ne!(requests[0].id(), requests[1].id());
    stage.becomes("SELECT count(*) FROM postrider.webhook_attempts", 7).await;
    stage.disable(endpoint).await;
    stage.becomes(OPEN, 0).await;
    let cancelled = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'cancelled' AND reason = 'endpoint_disabled'";
    assert_eq!((stage.count(cancelled).await, stage.receiver.count()), (3, 2));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_batches_what_was_sent_stays_a_batch_and_the_rest_goes_one_by_one() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(4, 60_000, 1 << 20).await;
    stage.receiver.behave("/in", Behaviour::statuses([500, 200]));
    stage.publish("acme", "e", 6).await;
    let mut worker = stage.at_work(Knobs::default()).await;
    stage.receiver.wait_for(1, Duration::from_secs(5)).await;
    stage
        .change(endpoint, "batch_max_events = NULL, batch_max_wait_ms = NULL, batch_max_bytes = NULL, batch_encoding = NULL")
        .await;
    stage.becomes(OPEN, 0).await;
    stage.publish("acme", "plain", 2).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(DELIVERED, 8).await;
    let requests = stage.receiver.received_at("/in");
    assert_unchanged(&requests);
    let batches = requests.iter().filter(|r| r.id().starts_with("btc_")).count();
    assert_eq!((batches, requests.len()), (2, 6));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_an_order_from_before_goes_too() {
    let stage = Stage::new().await;
    let endpoint = stage.endpoint("acme", "/in").await;
    stage.change(endpoint, "ordering = 'endpoint'").await;
    stage.publish("acme", "old", 3).await;
    stage.fan_out_only().await;
    stage
        .change(endpoint, "ordering = 'none', batch_max_events = 2, batch_max_wait_ms = 50, batch_max_bytes = 4096, batch_encoding = 'array'")
        .await;
    stage.publish("acme", "new", 4).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(OPEN, 0).await;
    let requests = stage.receiver.received_at("/in");
    let singles: Vec<&str> =
        requests.iter().map(Received::id).filter(|id| id.starts_with("old")).collect();
    assert_eq!(singles, ["old0", "old1", "old2"]);
    assert_eq!(requests.len(), 5);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_made_due_takes_its_batch_along() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(3, 60_000, 1 << 20).await;
    stage.change(endpoint, "retry_schedule_ms = '{3600000}'").await;
    stage.receiver.behave("/in", Behaviour::statuses([500, 200]));
    stage.publish("acme", "e", 3).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes("SELECT count(*) FROM postrider.webhook_attempts", 3).await;
    let retry = "UPDATE postrider.webhook_deliveries_open SET next_attempt_at = clock_timestamp() WHERE id = (SELECT max(id::text)::uuid FROM postrider.webhook_deliveries_open)";
    assert_eq!(stage.client.execute(retry, &[]).await.unwrap(), 1);
    stage.becomes(DELIVERED, 3).await;
    let requests = stage.receiver.received_at("/in");
    assert_eq!(requests.len(), 2);
    assert_unchanged(&requests);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_work_behind_a_transaction_pooler() {
    let stage = Stage::new().await.pooled();
    stage.batching(4, 50, 1 << 20).await;
    let results = json!({ "results": [{ "id": "e1", "status": 500 }] }).to_string();
    let steps = vec![
        Behaviour::status(500),
        Behaviour::status(500),
        Behaviour::Reply(Reply::new(200).body(results)),
        Behaviour::status(200),
    ];
    stage.receiver.behave("/in", Behaviour::Sequence(steps));
    stage.publish("acme", "e", 6).await;
    let worker = stage.at_work(Knobs::default()).await;
    stage.becomes(DELIVERED, 6).await;
    assert_unchanged(&stage.receiver.received_at("/in"));
    assert_eq!((stage.count(OPEN).await, stage.count(BATCHES).await), (0, 0));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_given_up_is_told_of_for_each_of_its_deliveries() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(3, 60_000, 1 << 20).await;
    stage.change(endpoint, "retry_schedule_ms = '{50,50}'").await;
    stage.receiver.behave("/in", Behaviour::status(500));
    stage.publish("acme", "e", 3).await;
    let worker = stage.at_work(Knobs::default()).await;
    let exhausted = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'exhausted' AND reason = 'schedule_spent' AND attempts = 3";
    stage.becomes(exhausted, 3).await;
    let told =
        "SELECT count(DISTINCT id) FROM postrider.webhook_events WHERE type = 'delivery.exhausted'";
    assert_eq!((stage.count(told).await, stage.count(BATCHES).await), (3, 0));
    assert_unchanged(&stage.receiver.received_at("/in"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_after_its_leases_have_passed_on_changes_nothing() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(2, 0, 1 << 20).await;
    stage.publish("acme", "e", 2).await;
    stage.fan_out_only().await;
    let (first, id) = leased(&stage, endpoint, 1, Duration::from_secs(1)).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let (second, same) = leased(&stage, endpoint, 2, Duration::from_secs(60)).await;
    assert_eq!(id, same, "the second worker has the batch as it was");
    // The first worker stood still, and now has an answer that its batch was refused one by one.
    let late = records(endpoint, id, &first, DeliveryStatus::Rejected);
    assert_eq!(batches::record(&stage.pool, 1, &late).await.unwrap(), 0);
    assert_eq!((stage.count(OPEN).await, stage.count(BATCHES).await), (2, 1));
    let good = records(endpoint, id, &second, DeliveryStatus::Delivered);
    assert_eq!(batches::record(&stage.pool, 2, &good).await.unwrap(), 2);
    assert_eq!((stage.count(DELIVERED).await, stage.count(BATCHES).await), (2, 0));
}

/// Claims the endpoint's only batch for a worker.
async fn leased(
    stage: &Stage,
    endpoint: EndpointId,
    owner: i64,
    lease: Duration,
) -> (Vec<Leased>, BatchId) {
    let (claim, due) = BatchClaim::begin(&stage.pool, endpoint, 10, owner).await.unwrap();
    let members: Vec<DeliveryId> = due.iter().map(|due| due.id).collect();
    let known = due[0].batch;
    let stored = match known {
        Some(id) => claim.stored(&[id]).await.unwrap(),
        None => Vec::new(),
    };
    assert!(stored.iter().all(|batch| !batch.busy && !batch.broken));
    let members = match stored.first() {
        Some(batch) => batch.members.iter().map(|member| member.id).collect(),
        None => members,
    };
    let (id, stored) = (BatchId::derive(&members), known.is_some());
    let (format, encoding) = (Format::Postrider, Encoding::Array);
    let batches = vec![PlannedBatch { id, members, format, encoding, stored }];
    let plan = Plan { batches, ..Plan::default() };
    (claim.lease(endpoint, &plan, owner, lease).await.unwrap().0, id)
}

fn records(
    endpoint: EndpointId,
    batch: BatchId,
    leased: &[Leased],
    status: DeliveryStatus,
) -> BatchRecords {
    let close = |leased: &Leased| Close {
        id: leased.id,
        next_of: None,
        lease_no: leased.lease_no,
        attempts: 1,
        status,
        reason: None,
        http_status: Some(200),
        duration: None,
        error: None,
    };
    let mut closes: Vec<Close> = leased.iter().map(close).collect();
    closes.sort_by_key(|close| close.id);
    BatchRecords {
        batch,
        endpoint,
        closes,
        reschedules: Vec::new(),
        again: false,
        request: batches::Request {
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration: Duration::from_millis(1),
            peer: None,
            detail: None,
            headers: Vec::new(),
            body: Vec::new(),
            members: Vec::new(),
        },
    }
}
