//! When a batch goes, what is in it, and how it looks to a receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use postrider_core::signing::{Secret, verify};
use postrider_testkit::{Behaviour, Received, Reply};
use serde_json::{Value, json};

use super::{BATCHES, DELIVERED, OPEN, WAIT, assert_unchanged, members};
use crate::stage::{Knobs, Stage};

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
async fn full_batches_go_to_their_lane_at_once_and_what_can_expire_is_left_for_the_pull() {
    let stage = Stage::new().await;
    stage.batching(10, WAIT, 1 << 20).await;
    stage.publish("acme", "e", 25).await;
    let expiring = "SELECT postrider.publish_v1('acme', 'x' || i, 'email.received', '{}', NULL, NULL, NULL, interval '1 hour', NULL, true) FROM generate_series(1, 20) i";
    stage.client.execute(expiring, &[]).await.unwrap();
    let mut worker = stage.worker(Knobs::default()).await;
    let pass = worker.fan_out.pass().await.unwrap();
    assert_eq!((pass.deliveries, pass.handed_off), (45, 20));
    stage.becomes(DELIVERED, 45).await;
    assert_unchanged(&stage.receiver.received_at("/in"));
    assert_eq!(stage.sizes().iter().sum::<usize>(), 45);
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
