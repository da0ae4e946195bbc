//! A batch stays what it is: over retries, kills, stops, and changes of its endpoint.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use postrider_core::batch::Encoding;
use postrider_core::format::Format;
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use postrider_store::batches::{self, BatchClaim, BatchRecords, Leased, Plan, PlannedBatch};
use postrider_store::deliveries::{Close, Recorded};
use postrider_store::events::{Claim, Days, Inserted, Look, NewDeliveries};
use postrider_testkit::{Behaviour, Received};
use uuid::Uuid;

use super::{BATCHES, DELIVERED, OPEN, assert_unchanged};
use crate::stage::{Knobs, Stage};

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
    let lost = Recorded { lost: 2, ..Recorded::default() };
    assert_eq!(batches::record(&stage.pool, 1, &late).await.unwrap(), lost);
    assert_eq!((stage.count(OPEN).await, stage.count(BATCHES).await), (2, 1));
    let good = records(endpoint, id, &second, DeliveryStatus::Delivered);
    let closed = Recorded { closed: 2, ..Recorded::default() };
    assert_eq!(batches::record(&stage.pool, 2, &good).await.unwrap(), closed);
    assert_eq!((stage.count(DELIVERED).await, stage.count(BATCHES).await), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_closed_already_keeps_its_end_and_is_told_of() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(3, 0, 1 << 20).await;
    stage.publish("acme", "e", 3).await;
    stage.fan_out_only().await;
    let (leased, id) = leased(&stage, endpoint, 1, Duration::from_secs(60)).await;
    let close = "INSERT INTO postrider.webhook_deliveries_closed (id, endpoint_id, event_seq, event_created_at, closed_at, lease_no, attempts, replay, open, status, tenant_id) \
         SELECT id, endpoint_id, event_seq, event_created_at, clock_timestamp(), 1, 1, replay, false, 'rejected', tenant_id FROM postrider.webhook_deliveries_open WHERE id = $1";
    assert_eq!(stage.client.execute(close, &[&leased[1].id.0]).await.unwrap(), 1);
    let good = records(endpoint, id, &leased, DeliveryStatus::Delivered);
    let recorded = batches::record(&stage.pool, 1, &good).await.unwrap();
    assert_eq!(recorded, Recorded { closed: 2, doubled: 1, ..Recorded::default() });
    assert_eq!((stage.count(DELIVERED).await, stage.count(OPEN).await), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_batches_are_recorded_together_or_none_of_them() {
    let stage = Stage::new().await;
    let one = stage.batching(2, 0, 1 << 20).await;
    stage.publish("acme", "e", 2).await;
    stage.fan_out_only().await;
    let (first, first_id) = leased(&stage, one, 1, Duration::from_secs(60)).await;
    stage.publish("acme", "f", 2).await;
    stage.fan_out_only().await;
    let (second, second_id) = leased(&stage, one, 1, Duration::from_secs(60)).await;
    let good = |id, leased: &[Leased]| records(one, id, leased, DeliveryStatus::Delivered);
    let all = [good(first_id, &first), good(second_id, &second)];
    // A lease of the second one has passed on.
    let pass = "UPDATE postrider.webhook_deliveries_open SET lease_no = lease_no + 1 WHERE id = $1";
    stage.client.execute(pass, &[&second[0].id.0]).await.unwrap();
    assert_eq!(batches::record_together(&stage.pool, 1, &all).await.unwrap(), None);
    assert_eq!((stage.count(OPEN).await, stage.count(BATCHES).await), (4, 2), "nothing is written");
    let back = "UPDATE postrider.webhook_deliveries_open SET lease_no = lease_no - 1 WHERE id = $1";
    stage.client.execute(back, &[&second[0].id.0]).await.unwrap();
    let recorded = batches::record_together(&stage.pool, 1, &all).await.unwrap().unwrap();
    assert!(recorded.iter().all(|recorded| (recorded.closed, recorded.lost) == (2, 0)));
    assert_eq!((stage.count(DELIVERED).await, stage.count(BATCHES).await), (4, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_cannot_be_recorded_holds_up_no_other() {
    let stage = Stage::new().await;
    let stuck = stage.batching(2, 0, 1 << 20).await;
    stage.receiver.behave(
        "/in",
        Behaviour::Delay(Duration::from_millis(400), Box::new(Behaviour::status(200))),
    );
    stage.publish("acme", "e", 2).await;
    let mut worker = stage.at_work(Knobs::default()).await;
    stage.receiver.wait_for(1, Duration::from_secs(5)).await;
    // An operator's statement holds a row of it for long.
    let holder = stage.another_client().await;
    let hold = format!(
        "BEGIN; SELECT FROM postrider.webhook_deliveries_open WHERE endpoint_id = '{}' LIMIT 1 FOR UPDATE",
        stuck.0
    );
    holder.batch_execute(&hold).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(stage.count(DELIVERED).await, 0, "the answer has come and cannot be recorded");
    stage.receiver.behave("/in", Behaviour::status(200));
    for n in 0..5 {
        stage.publish("acme", &format!("f{n}-"), 2).await;
        worker.fan_out.drain().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The group that the first one was in is given up after five seconds; then each is recorded for itself.
    stage.becomes(DELIVERED, 10).await;
    assert_eq!(stage.count(OPEN).await, 2);
    holder.batch_execute("ROLLBACK").await.unwrap();
    stage.becomes(DELIVERED, 12).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_batch_is_kept_of_an_endpoint_that_is_disabled_while_its_events_are_fanned_out() {
    let stage = Stage::new().await;
    let endpoint = stage.batching(2, 60_000, 1 << 20).await;
    stage.publish("acme", "e", 2).await;
    let look = Look { after: 0, limit: 10, days: Days::default() };
    let (claim, events) = Claim::begin(&stage.pool, look).await.unwrap();
    let mut rows = NewDeliveries::default();
    let members: Vec<DeliveryId> = (0..2).map(|n| DeliveryId(Uuid::from_u128(n))).collect();
    let id = BatchId::derive(&members);
    for (member, event) in members.iter().zip(&events) {
        let body = event.body.as_ref().unwrap();
        rows.push(*member, endpoint, event, body, Inserted::InBatch(id));
    }
    let (format, encoding) = (Format::Postrider, Encoding::Array);
    rows.form(
        endpoint,
        &PlannedBatch { id, members: members.clone(), format, encoding, stored: false },
    );
    stage.change(endpoint, "enabled = false, disabled_reason = 'by hand'").await;
    let done: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let missing = claim.finish(rows, &done, &[], 1, Duration::from_secs(60)).await.unwrap();
    assert_eq!(missing, members);
    assert_eq!((stage.count(OPEN).await, stage.count(BATCHES).await), (0, 0));
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
