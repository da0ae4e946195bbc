//! Order, under everything that could break it: several workers, retries, leases that end, killed workers, publishers whose
//! commits overtake each other, fan-out that overtakes itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use postrider_core::ids::EndpointId;
use postrider_store::deliveries;
use postrider_testkit::{Behaviour, Reply};

use crate::stage::{Knobs, Stage, Worker};

const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const SKIPPED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'skipped'";

impl Stage {
    /// An endpoint that is sent to in order and retried quickly.
    async fn ordered(&self, path: &str, ordering: &str, skip_after: Option<i16>) -> EndpointId {
        let id = self.endpoint("acme", path).await;
        let set = "UPDATE postrider.webhook_endpoints SET ordering = $2, skip_after = $3, retry_schedule_ms = '{50,50,50,50,50,50,50,50,50,50}' WHERE id = $1";
        self.client.execute(set, &[&id.0, &ordering, &skip_after]).await.unwrap();
        id
    }

    /// Publishes `count` events of one key, each in its own transaction: `<key>-<n>`.
    async fn publish_key(&self, key: &str, from: i32, count: i32) {
        for n in from..from + count {
            self.client.execute(PUBLISH, &[&format!("{key}-{n:04}"), &Some(key)]).await.unwrap();
        }
    }

    /// Asserts that at this path the events of each key were accepted in the order of their numbers, and none began before
    /// those in front of it were accepted, or while another request of its key was not answered.
    fn assert_in_order(&self, path: &str, wanted: usize) {
        let mut accepted: HashMap<String, i32> = HashMap::new();
        let mut answered: HashMap<String, Instant> = HashMap::new();
        let mut count = 0;
        for request in self.receiver.received_at(path) {
            let id = request.id().to_owned();
            let (key, n) = id.rsplit_once('-').unwrap();
            let n: i32 = n.parse().unwrap();
            let begun_early = answered.get(key).is_some_and(|at| request.at < *at);
            assert!(!begun_early, "{id} arrived before another request of its key was answered");
            if let Some(at) = request.answered_at {
                answered.insert(key.to_owned(), at);
            }
            let next = accepted.get(key).map_or(0, |last| last + 1);
            assert!(n <= next, "{id} arrived when {key}-{next:04} had its turn");
            if n == next && request.answered == Some(200) {
                accepted.insert(key.to_owned(), n);
                count += 1;
            }
        }
        assert_eq!(count, wanted, "all accepted");
    }
}

const PUBLISH: &str = "SELECT postrider.publish_v1('acme', $1::text, 'email.received', '{\"n\":1}', NULL, NULL, $2::text, NULL, NULL, true)";

fn knobs(owner: i64) -> Knobs {
    Knobs { owner, ..Knobs::default() }
}

/// A fifth of the requests fail, by their place among all.
fn flaky() -> Behaviour {
    Behaviour::ask(|request| {
        let status = if request.sequence.wrapping_mul(2_654_435_761) % 5 == 0 { 500 } else { 200 };
        Behaviour::Delay(Duration::from_millis(2), Box::new(Behaviour::status(status)))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers_and_retries_keep_the_order_of_every_key() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", None).await;
    stage.receiver.behave("/in", flaky());
    let mut workers: Vec<Worker> = Vec::new();
    for owner in 1..=3 {
        workers.push(stage.worker(knobs(owner)).await);
    }
    for round in 0..10 {
        for key in 0..12 {
            stage.publish_key(&format!("k{key}"), round * 3, 3).await;
        }
        let place = usize::try_from(round).unwrap() % 3;
        workers[place].fan_out.drain().await.unwrap();
    }
    stage.becomes(OPEN, 0).await;
    stage.assert_in_order("/in", 360);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_an_endpoint_in_order_need_no_key() {
    let stage = Stage::new().await;
    stage.ordered("/in", "endpoint", None).await;
    stage.receiver.behave("/in", flaky());
    for n in 0..60 {
        let key: Option<&str> = (n % 2 == 0).then_some("some");
        stage.client.execute(PUBLISH, &[&format!("e-{n:04}"), &key]).await.unwrap();
    }
    let mut one = stage.worker(knobs(1)).await;
    let two = stage.worker(knobs(2)).await;
    one.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    stage.assert_in_order("/in", 60);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_delivery_blocks_its_key_and_no_other() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", None).await;
    stage.receiver.behave(
        "/in",
        Behaviour::ask(|request| {
            Behaviour::status(if request.id() == "a-0000" { 500 } else { 200 })
        }),
    );
    stage.publish_key("a", 0, 3).await;
    stage.publish_key("b", 0, 20).await;
    let mut worker = stage.worker(knobs(1)).await;
    worker.fan_out.drain().await.unwrap();
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE order_key = 'b'",
            20,
        )
        .await;
    // Once its schedule is spent, it has ended, and those behind it have their turn.
    stage.becomes(OPEN, 0).await;
    let received = stage.receiver.received_at("/in");
    let of_a: Vec<&str> =
        received.iter().map(|r| r.id()).filter(|id| id.starts_with("a-")).collect();
    assert_eq!(of_a.len(), 13, "eleven attempts of the first, then the two behind it: {of_a:?}");
    assert_eq!(of_a[10..], ["a-0000", "a-0001", "a-0002"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_delivery_is_skipped_after_as_many_attempts_as_the_endpoint_says() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", Some(3)).await;
    stage.receiver.behave(
        "/in",
        Behaviour::ask(|request| {
            Behaviour::status(if request.id() == "a-0001" { 500 } else { 200 })
        }),
    );
    stage.publish_key("a", 0, 4).await;
    let mut worker = stage.worker(knobs(1)).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    let received = stage.receiver.received_at("/in");
    let ids: Vec<&str> = received.iter().map(|r| r.id()).collect();
    assert_eq!(ids, ["a-0000", "a-0001", "a-0001", "a-0001", "a-0002", "a-0003"]);
    assert_eq!(stage.count(SKIPPED).await, 1);
    assert_eq!(
        stage.count("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'skipped' AND reason = 'skipped_after_attempts' AND attempts = 3").await,
        1
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_of_a_key_starts_at_once() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", None).await;
    stage.publish_key("a", 0, 40).await;
    let mut worker = stage.worker(knobs(1)).await;
    let begun = Instant::now();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    // By the walk alone it would be five seconds each, by the shortest timer 50 ms.
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?} for 40 in a row", begun.elapsed());
    stage.assert_in_order("/in", 40);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fanned_out_early_waits_for_what_is_still_pending_before_it() {
    let stage = Stage::new().await;
    let endpoint = stage.ordered("/in", "key", None).await;
    stage.publish_key("a", 0, 1).await;
    // Held as a slow fan-out in another worker holds it: claimed, and not yet committed.
    let holder = stage.another_client().await;
    holder
        .batch_execute("BEGIN; SELECT FROM postrider.webhook_events_pending FOR UPDATE")
        .await
        .unwrap();
    stage.publish_key("a", 1, 1).await;
    stage.publish_key("b", 0, 1).await;
    let mut worker = stage.worker(knobs(1)).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(&format!("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE order_key = 'b' AND endpoint_id = '{}'", endpoint.0), 1).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let received = stage.receiver.received_at("/in");
    let ids: Vec<&str> = received.iter().map(|r| r.id()).collect();
    assert_eq!(ids, ["b-0000"], "the first of a is still pending");
    holder.batch_execute("ROLLBACK").await.unwrap();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    stage.assert_in_order("/in", 3);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postponed_event_postpones_its_key_and_no_other_tenants() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", None).await;
    stage.publish_key("a", 0, 1).await;
    let put_off = "UPDATE postrider.webhook_events_pending SET next_attempt_at = clock_timestamp() + interval '1 hour'";
    stage.client.execute(put_off, &[]).await.unwrap();
    stage.publish_key("a", 1, 2).await;
    stage.publish_key("b", 0, 2).await;
    let mut worker = stage.worker(knobs(1)).await;
    worker.fan_out.drain().await.unwrap();
    stage
        .becomes(
            "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE order_key = 'b'",
            2,
        )
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stage.receiver.received_at("/in").len(), 2, "nothing of a");
    let due = "UPDATE postrider.webhook_events_pending SET next_attempt_at = clock_timestamp()";
    stage.client.execute(due, &[]).await.unwrap();
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    stage.assert_in_order("/in", 5);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_commits_late_and_was_concurrent_holds_nobody_up() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", None).await;
    let late = stage.another_client().await;
    late.batch_execute("BEGIN").await.unwrap();
    late.execute(PUBLISH, &[&"late-0000", &Some("a")]).await.unwrap();
    stage.publish_key("a", 0, 3).await;
    let mut worker = stage.worker(knobs(1)).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    assert_eq!(stage.receiver.count(), 3);
    late.batch_execute("COMMIT").await.unwrap();
    worker.fan_out.drain().await.unwrap();
    stage.becomes("SELECT count(*) FROM postrider.webhook_deliveries_closed", 4).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_workers_key_goes_on_where_it_was() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", None).await;
    stage.receiver.behave("/in", Behaviour::delay(Duration::from_millis(30)));
    stage.publish_key("a", 0, 12).await;
    stage.publish_key("b", 0, 12).await;
    // With short leases: nobody gives those of the dead worker back here.
    let short = |owner| Knobs {
        lease: Duration::from_secs(12),
        timeout: Duration::from_secs(1),
        ..knobs(owner)
    };
    let mut one = stage.worker(short(1)).await;
    one.fan_out.drain().await.unwrap();
    stage.receiver.wait_for(5, Duration::from_secs(5)).await;
    // Dropped in the middle of its requests: nothing is recorded any more, no lease given back.
    one.stop.request_hard();
    drop(one);
    let two = stage.worker(short(2)).await;
    let begun = Instant::now();
    while stage.count(OPEN).await > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(25),
            "the rest is delivered once the leases end"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.assert_in_order("/in", 24);
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_was_planned_on_an_empty_table_is_quick_with_many_keys() {
    let stage = Stage::new().await;
    let endpoint = stage.ordered("/in", "key", None).await;
    let fill = "INSERT INTO postrider.webhook_deliveries_open (id, endpoint_id, event_seq, event_created_at, next_attempt_at, open, status, tenant_id, order_key) SELECT gen_random_uuid(), $1, i, clock_timestamp(), 'infinity', true, 'pending', 'acme', 'k' || i % 10000 FROM generate_series(1, 60000) i";
    let pull = async || {
        let lease = Duration::from_secs(60);
        let pulled = deliveries::pull(&stage.pool, endpoint, 100, 1, lease).await.unwrap();
        pulled.deliveries.len()
    };
    stage.client.execute(fill, &[&endpoint.0]).await.unwrap();
    stage.client.batch_execute("DELETE FROM postrider.webhook_deliveries_open").await.unwrap();
    stage.client.batch_execute("VACUUM postrider.webhook_deliveries_open").await.unwrap();
    assert_eq!(pull().await, 0);
    stage.client.execute(fill, &[&endpoint.0]).await.unwrap();
    let begun = Instant::now();
    assert_eq!(pull().await, 100);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?} for 10,000 keys", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_its_turn_is_due_when_the_one_before_it_is() {
    let stage = Stage::new().await;
    let endpoint = stage.ordered("/in", "key", None).await;
    stage.publish_key("a", 0, 2).await;
    stage.fan_out_only().await;
    let due = async || deliveries::next_due(&stage.pool, endpoint).await.unwrap();
    assert_eq!(due().await, None, "nothing waits for a time");
    // One that committed late is in front of another that was tried already: its retry is due, and not its turn.
    let times = "UPDATE postrider.webhook_deliveries_open d SET next_attempt_at = clock_timestamp()
        + CASE WHEN d.event_seq = (SELECT min(event_seq) FROM postrider.webhook_deliveries_open) THEN interval '1 hour' ELSE interval '-1 minute' END";
    stage.client.execute(times, &[]).await.unwrap();
    let wait = due().await.expect("the first of them is due in an hour");
    assert!(wait > Duration::from_secs(3500), "{wait:?}");
    let unordered = "UPDATE postrider.webhook_deliveries_open SET order_key = NULL WHERE next_attempt_at < clock_timestamp()";
    stage.client.execute(unordered, &[]).await.unwrap();
    assert_eq!(due().await, Some(Duration::ZERO), "without an order it is due");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_its_receiver_asks_for_skips_nothing() {
    let stage = Stage::new().await;
    stage.ordered("/in", "key", Some(1)).await;
    let wait = Behaviour::Reply(Reply::new(503).header("retry-after", "1"));
    let steps = Behaviour::Sequence(vec![wait.clone(), wait, Behaviour::status(200)]);
    stage.receiver.behave("/in", steps);
    stage.publish_key("a", 0, 2).await;
    let mut worker = stage.worker(knobs(1)).await;
    worker.fan_out.drain().await.unwrap();
    stage.becomes(OPEN, 0).await;
    assert_eq!(stage.count(SKIPPED).await, 0);
    let counted = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered' AND attempts = 1";
    assert_eq!(stage.count(counted).await, 2);
    stage.assert_in_order("/in", 2);
    worker.stop().await;
}
