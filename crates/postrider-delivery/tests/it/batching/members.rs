//! What becomes of the members of a batch, together and one by one.

use std::time::Duration;

use postrider_testkit::{Behaviour, Received, Reply};
use serde_json::json;

use super::{BATCHES, DELIVERED, OPEN, assert_unchanged, members};
use crate::stage::{Knobs, Stage};

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
