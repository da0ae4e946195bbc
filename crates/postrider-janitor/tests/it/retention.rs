//! What is old goes, what is owed stays.

use std::time::Duration;

use jiff::Timestamp;
use postrider_janitor::partitions;
use postrider_janitor::retention::pass;
use postrider_janitor::{PruneReport, Retention, prune};
use postrider_runtime::Stop;
use postrider_store::control::Control;
use postrider_store::partitions::{Parent, Partition};
use postrider_store::vacuum::{HotTable, vacuum};
use postrider_store::{Connect, Db, Mode};
use tokio::time::timeout;

use crate::Stage;

const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const BODIES: &str = "SELECT count(*) FROM postrider.webhook_events";
const LEDGER: &str = "SELECT count(*) FROM postrider.webhook_event_ids";
const TOLD: &str =
    "SELECT count(*) FROM postrider.webhook_events WHERE type = 'delivery.exhausted'";
const FANNED_OUT: &str = "DELETE FROM postrider.webhook_events_pending";

async fn let_go(stage: &Stage, now: Timestamp, dry_run: bool) -> PruneReport {
    let mut maintenance = stage.housekeeping().await;
    pass(&mut maintenance, &Retention::default(), Some(now), dry_run, &Stop::new())
        .await
        .expect("the database answers")
}

#[tokio::test]
async fn bodies_go_after_thirty_days_and_not_before() {
    let stage = Stage::set().await;
    stage.publish(5).await;
    stage.execute(FANNED_OUT).await;
    let early = let_go(&stage, stage.in_days(30).await, false).await;
    assert_eq!((early.events, early.dropped.len()), (0, 0), "{early:?}");
    let late = let_go(&stage, stage.in_days(31).await, false).await;
    assert_eq!((late.events, late.dropped.len(), late.kept.len()), (5, 1, 0), "{late:?}");
    assert_eq!(stage.number(BODIES).await, 0);
    let registered = "SELECT count(*) FROM postrider.partitions p WHERE to_regclass('postrider.' || p.name) IS NULL";
    assert_eq!(stage.number(registered).await, 0);
}

#[tokio::test]
async fn a_day_with_a_pending_event_stays() {
    let stage = Stage::set().await;
    stage.publish(5).await;
    stage.execute("DELETE FROM postrider.webhook_events_pending WHERE seq > 1").await;
    let report = let_go(&stage, stage.in_days(80).await, false).await;
    assert_eq!((report.events, report.kept.len()), (0, 1), "{report:?}");
    assert_eq!(report.kept[0].why, "an event of it has not been fanned out");
    assert_eq!(stage.number(BODIES).await, 5);
    assert!(!report.dropped.is_empty(), "the empty days after it go");
}

#[tokio::test]
async fn an_uncommitted_publisher_keeps_its_day() {
    let stage = Stage::set().await;
    let publisher = stage.test.client().await;
    publisher
        .batch_execute("BEGIN; SELECT postrider.publish('email.received', 't', '{}')")
        .await
        .expect("publishes");
    let report = let_go(&stage, stage.in_days(31).await, false).await;
    assert_eq!((report.dropped.len(), report.kept.len()), (0, 1), "{report:?}");
    publisher.batch_execute("COMMIT").await.expect("commits");
    assert_eq!(
        (
            stage.number(BODIES).await,
            stage.number("SELECT count(*) FROM postrider.webhook_events_pending").await
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn an_open_delivery_is_closed_as_exhausted_before_its_body_goes() {
    let stage = Stage::set().await;
    stage.publish(2500).await;
    stage.execute(FANNED_OUT).await;
    stage.owe("clock_timestamp() + interval '1 hour'", 0).await;
    let report = let_go(&stage, stage.in_days(31).await, false).await;
    assert_eq!((report.expired, report.events, report.kept.len()), (2500, 0, 1), "{report:?}");
    assert_eq!(stage.number(OPEN).await, 0);
    assert_eq!(stage.number(TOLD).await, 2500);
    let closed = "SELECT count(*) FROM postrider.webhook_deliveries
                  WHERE NOT open AND status = 'exhausted' AND reason = 'body_expired' AND lease_owner IS NULL AND lease_no = 4";
    assert_eq!(stage.number(closed).await, 2500);
    // The janitor's clock is a month ahead of the database's, so what it told of lies in the day that goes.
    stage.execute(FANNED_OUT).await;
    let report = let_go(&stage, stage.in_days(31).await, false).await;
    assert_eq!((report.expired, report.events, report.kept.len()), (0, 5000, 0), "{report:?}");
}

#[tokio::test]
async fn each_delivery_that_expires_is_told_of_once_with_what_it_was() {
    let stage = Stage::set().await;
    stage.publish(2).await;
    stage
        .execute("UPDATE postrider.webhook_events SET type = 'endpoint.failing' WHERE seq = 2")
        .await;
    stage.execute(FANNED_OUT).await;
    stage.owe("clock_timestamp()", 0).await;
    let_go(&stage, stage.in_days(31).await, false).await;
    let_go(&stage, stage.in_days(31).await, false).await;
    assert_eq!(stage.number(TOLD).await, 1, "an operator event that expires is not told of");
    let right = "SELECT count(*) FROM postrider.webhook_events e
                 JOIN postrider.webhook_deliveries d ON NOT d.open AND d.event_seq = 1
                 JOIN postrider.webhook_events b ON b.seq = 1
                 JOIN postrider.webhook_events_pending p ON p.seq = e.seq
                 CROSS JOIN LATERAL (SELECT e.envelope::json -> 'data' AS data) x
                 WHERE e.type = 'delivery.exhausted' AND e.tenant_id = d.tenant_id
                   AND x.data ->> 'delivery_id' = 'whd_' || replace(d.id::text, '-', '') AND x.data ->> 'event_id' = b.id
                   AND x.data ->> 'reason' = 'body_expired' AND e.attributes ->> 'endpoint_id' = x.data ->> 'endpoint_id'";
    assert_eq!(stage.number(right).await, 1);
}

#[tokio::test]
async fn workers_are_told_when_the_first_of_an_order_key_expires() {
    let stage = Stage::set().await;
    let connect = Connect::parse(stage.test.url(), "postrider-janitor-test", None)
        .expect("the URL of a test is good");
    let control = Control::open(&connect, &stage.db).await.expect("connects").expect("hears");
    for (order_key, told) in [("NULL", false), ("'k'", true)] {
        stage.publish(2).await;
        stage.execute(FANNED_OUT).await;
        stage.owe("clock_timestamp() + interval '1 hour'", 0).await;
        stage
            .execute(&format!(
                "UPDATE postrider.webhook_deliveries_open SET order_key = {order_key}"
            ))
            .await;
        let report = let_go(&stage, stage.in_days(31).await, false).await;
        assert!(report.expired >= 2, "{report:?}");
        let patience = Duration::from_millis(if told { 10_000 } else { 300 });
        let heard = timeout(patience, control.endpoints_knocked()).await.is_ok();
        assert_eq!(heard, told, "order key {order_key}");
    }
}

#[tokio::test]
async fn a_delivery_in_the_hands_of_a_worker_keeps_its_day() {
    let stage = Stage::set().await;
    stage.publish(2).await;
    stage.execute(FANNED_OUT).await;
    stage.owe("clock_timestamp() + interval '1 minute'", 77).await;
    let report = let_go(&stage, stage.in_days(31).await, false).await;
    assert_eq!((report.expired, report.events, report.kept.len()), (0, 0, 1), "{report:?}");
    assert_eq!(report.kept[0].why, "a delivery of it is open");
    assert_eq!((stage.number(OPEN).await, stage.number(BODIES).await), (2, 2));
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let stage = Stage::set().await;
    stage.publish(4).await;
    stage.execute(FANNED_OUT).await;
    stage.owe("clock_timestamp()", 0).await;
    stage
        .execute(
            "SELECT postrider.record_publish_failure_v1('t', 'evt_1', 'email.received', 'a test')",
        )
        .await;
    let now = stage.in_days(120).await;
    let report = let_go(&stage, now, true).await;
    assert!(report.dry_run);
    assert_eq!((report.events, report.expired, report.publish_failures), (4, 4, 1), "{report:?}");
    assert_eq!((stage.number(BODIES).await, stage.number(OPEN).await), (4, 4));
    let real = let_go(&stage, now, false).await;
    assert_eq!((real.expired, real.publish_failures), (4, 1), "{real:?}");
    stage.execute(FANNED_OUT).await;
    let rest = let_go(&stage, now, false).await;
    assert_eq!(
        (rest.events, rest.expired),
        (8, 0),
        "with the four events that tell of it: {rest:?}"
    );
    assert_eq!(stage.number("SELECT count(*) FROM postrider.webhook_publish_failures").await, 0);
}

#[tokio::test]
async fn closed_deliveries_and_attempts_go_after_ninety_days() {
    let stage = Stage::set().await;
    stage.publish(3).await;
    stage
        .execute(
            "DELETE FROM postrider.webhook_events_pending;
             INSERT INTO postrider.webhook_deliveries
                 (id, endpoint_id, event_seq, event_created_at, closed_at, open, status, tenant_id)
             SELECT (substr(postrider.delivery_id_floor(e.created_at)::text, 1, 14) || substr(gen_random_uuid()::text, 15))::uuid,
                    gen_random_uuid(), e.seq, e.created_at, clock_timestamp(), false, 'delivered', 't' FROM postrider.webhook_events e;
             INSERT INTO postrider.webhook_attempts (delivery_id, started_at, endpoint_id, duration_ms, attempt, outcome)
             SELECT gen_random_uuid(), e.created_at, gen_random_uuid(), 1, 1, 'retry' FROM postrider.webhook_events e",
        )
        .await;
    let early = let_go(&stage, stage.in_days(89).await, false).await;
    assert_eq!((early.events, early.deliveries, early.attempts), (3, 0, 0), "{early:?}");
    let late = let_go(&stage, stage.in_days(95).await, false).await;
    assert_eq!((late.deliveries, late.attempts, late.kept.len()), (3, 3, 0), "{late:?}");

    let listing = stage.listing().await;
    let closed: Vec<&Partition> = listing.of(Parent::Closed).collect();
    assert_eq!(closed[0].lo, None, "there is always a place for an old delivery");
    assert!(closed.windows(2).all(|pair| pair[0].hi == pair[1].lo), "and no gap");
    stage
        .execute(
            "INSERT INTO postrider.webhook_deliveries (id, endpoint_id, event_seq, event_created_at, closed_at, open, status, tenant_id)
             VALUES (postrider.delivery_id_floor('2001-01-01'), gen_random_uuid(), 1, '2001-01-01', clock_timestamp(), false, 'delivered', 't')",
        )
        .await;
    let again = let_go(&stage, stage.in_days(96).await, false).await;
    assert_eq!(again.deliveries, 1, "{again:?}");
    let listing = stage.listing().await;
    let closed: Vec<&Partition> = listing.of(Parent::Closed).collect();
    assert!(
        closed[0].lo.is_none() && closed.windows(2).all(|pair| pair[0].hi == pair[1].lo),
        "{closed:?}"
    );
}

#[tokio::test]
async fn a_day_that_an_open_transaction_reads_goes_later_and_holds_nothing_else_up() {
    let stage = Stage::set().await;
    stage.publish(5).await;
    stage.execute(FANNED_OUT).await;
    stage
        .execute(
            "SELECT postrider.record_publish_failure_v1('t', 'evt_1', 'email.received', 'a test')",
        )
        .await;
    let reader = stage.test.client().await;
    reader
        .batch_execute("BEGIN; SELECT count(*) FROM postrider.webhook_events")
        .await
        .expect("reads");
    let now = stage.in_days(91).await;
    let report = let_go(&stage, now, false).await;
    assert_eq!(
        (report.events, report.kept.len(), report.publish_failures),
        (0, 1, 1),
        "{report:?}"
    );
    assert!(report.kept[0].why.contains("in the way"), "{report:?}");
    reader.batch_execute("COMMIT").await.expect("ends");
    let report = let_go(&stage, now, false).await;
    assert_eq!((report.events, report.kept.len()), (5, 0), "{report:?}");
}

#[tokio::test]
async fn housekeeping_works_through_a_transaction_pooler() {
    let mut stage = Stage::set().await;
    let connect = Connect::parse(stage.test.url(), "postrider-janitor-test", None)
        .expect("the URL of a test is good");
    stage.db = Db::new(&connect, Mode::Pooled, 2).expect("a pool of two");
    stage.publish(3).await;
    stage.execute(FANNED_OUT).await;
    stage.owe("clock_timestamp()", 0).await;
    let (soon, later) = (stage.in_days(25).await, stage.in_days(45).await);
    let mut maintenance = stage.housekeeping().await;
    let made = partitions::pass(&mut maintenance, Some(soon)).await.expect("the database answers");
    assert!(made.made > 0 && made.blocked.is_empty(), "{made:?}");
    let report = let_go(&stage, later, false).await;
    assert_eq!((report.expired, stage.number(TOLD).await), (3, 3), "{report:?}");
    stage.execute(FANNED_OUT).await;
    let report = let_go(&stage, later, false).await;
    assert_eq!((report.events, report.expired), (6, 0), "{report:?}");
    vacuum(&stage.db, HotTable::Pending).await.expect("vacuums");
}

#[tokio::test]
async fn the_ledger_is_pruned_up_to_what_is_owed() {
    let stage = Stage::set().await;
    stage.publish(12_000).await;
    stage.execute(FANNED_OUT).await;
    let marked = stage.in_days(1).await;
    let_go(&stage, marked, false).await;
    // Published after the mark, and by the pinned clock long before: the mark decides.
    stage.publish(3).await;
    stage.execute(FANNED_OUT).await;

    let early = let_go(&stage, stage.in_days(90).await, false).await;
    assert_eq!(early.ledger, 0, "{early:?}");
    let dry = let_go(&stage, stage.in_days(92).await, true).await;
    assert_eq!(dry.ledger, 12_000, "{dry:?}");
    let late = let_go(&stage, stage.in_days(92).await, false).await;
    assert_eq!(late.ledger, 12_000, "{late:?}");
    assert_eq!(stage.number(LEDGER).await, 3);
    let again = let_go(&stage, stage.in_days(93).await, false).await;
    assert_eq!(again.ledger, 0);
}

#[tokio::test]
async fn a_pending_event_keeps_its_id_in_the_ledger() {
    let stage = Stage::set().await;
    stage.publish(10).await;
    stage.execute("DELETE FROM postrider.webhook_events_pending WHERE seq <> 4").await;
    let_go(&stage, stage.in_days(1).await, false).await;
    let report = let_go(&stage, stage.in_days(100).await, false).await;
    assert_eq!(report.ledger, 0, "{report:?}");
    assert_eq!(stage.number(LEDGER).await, 10);
}

#[tokio::test]
async fn the_ledgers_index_is_made_anew_after_a_turn() {
    let stage = Stage::set().await;
    stage.publish(10).await;
    stage
        .execute("UPDATE postrider.ledger_state SET pruned_to = 5000000, indexed_at = 1000000")
        .await;
    let_go(&stage, stage.in_days(0).await, false).await;
    assert_eq!(stage.number("SELECT indexed_at FROM postrider.ledger_state").await, 5_000_000);
    let whole = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 WHERE c.relname LIKE 'webhook_event_ids_seq%' AND i.indisvalid";
    assert_eq!(stage.number(whole).await, 1);
}

#[tokio::test]
async fn prune_waits_for_a_janitor_that_is_at_it() {
    let stage = Stage::set().await;
    let (retention, maintenance) = (Retention::default(), stage.housekeeping().await);
    let (report, ()) =
        tokio::join!(prune(&stage.db, &retention, true), async move { drop(maintenance) });
    assert_eq!(report.expect("prunes"), PruneReport { dry_run: true, ..PruneReport::default() });
}

#[tokio::test]
async fn a_batch_goes_when_none_of_its_members_is_owed_any_more() {
    let stage = Stage::set().await;
    stage
        .execute(
            "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types) VALUES ('00000000-0000-0000-0000-00000000000e', 'acme', 'https://example.com/', '{*}');
             INSERT INTO postrider.webhook_deliveries_open (id, endpoint_id, event_seq, event_created_at, next_attempt_at, open, status, tenant_id)
             VALUES ('00000000-0000-8000-8000-000000000001', '00000000-0000-0000-0000-00000000000e', 1, clock_timestamp(), clock_timestamp(), true, 'pending', 'acme');
             INSERT INTO postrider.webhook_delivery_batches (id, endpoint_id, members, format, encoding, created_at)
             SELECT b.id::uuid, '00000000-0000-0000-0000-00000000000e', b.members::uuid[], 'raw', 'array', clock_timestamp() - b.age
             FROM (VALUES ('00000000-0000-0000-0000-00000000000a', '{00000000-0000-8000-8000-000000000001,00000000-0000-8000-8000-000000000002}', interval '2 hours'),
                          ('00000000-0000-0000-0000-00000000000b', '{00000000-0000-8000-8000-000000000003}', interval '2 hours'),
                          ('00000000-0000-0000-0000-00000000000c', '{00000000-0000-8000-8000-000000000003}', interval '2 minutes')) b (id, members, age)",
        )
        .await;
    let count = "SELECT count(*) FROM postrider.webhook_delivery_batches";
    let_go(&stage, stage.in_days(0).await, true).await;
    assert_eq!(stage.number(count).await, 3, "a dry run changes nothing");
    let_go(&stage, stage.in_days(0).await, false).await;
    assert_eq!(stage.number(count).await, 2, "one is owed, one is young");
    let gone = "SELECT count(*) FROM postrider.webhook_delivery_batches WHERE id = '00000000-0000-0000-0000-00000000000b'";
    assert_eq!(stage.number(gone).await, 0);
}

#[tokio::test]
async fn what_people_changed_goes_after_four_hundred_days_and_jobs_ninety_days_after_their_end() {
    let stage = Stage::set().await;
    stage
        .execute(
            "INSERT INTO postrider.audit_log (tenant_id, actor, action, subject) SELECT 'acme', 'cli:x', 'endpoint.updated', 'whk_' || i FROM generate_series(1, 7) i;
             INSERT INTO postrider.jobs (id, tenant_id, kind, endpoint_id, since, until, wanted, rate, state, finished_at)
             SELECT gen_random_uuid(), 'acme', 'recover', gen_random_uuid(), clock_timestamp(), clock_timestamp(), '{}', 1,
                    CASE WHEN i <= 3 THEN 'done' ELSE 'running' END, CASE WHEN i <= 3 THEN clock_timestamp() END FROM generate_series(1, 5) i",
        )
        .await;
    // Queuing the jobs is in the log too.
    let (audit, jobs) =
        ("SELECT count(*) FROM postrider.audit_log", "SELECT count(*) FROM postrider.jobs");
    let changes = stage.number(audit).await;
    assert_eq!(changes, 7 + 5);
    let early = let_go(&stage, stage.in_days(89).await, false).await;
    assert_eq!((early.audit, early.jobs), (0, 0));
    let counted = let_go(&stage, stage.in_days(401).await, true).await;
    assert_eq!((counted.audit, counted.jobs), (12, 3));
    assert_eq!((stage.number(audit).await, stage.number(jobs).await), (12, 5), "a dry run");
    let late = let_go(&stage, stage.in_days(91).await, false).await;
    assert_eq!((late.audit, late.jobs), (0, 3));
    assert_eq!(stage.number(jobs).await, 2, "what has not ended stays");
    let_go(&stage, stage.in_days(399).await, false).await;
    assert_eq!(stage.number(audit).await, 12);
    assert_eq!(let_go(&stage, stage.in_days(401).await, false).await.audit, 12);
    assert_eq!(stage.number(audit).await, 0);
}
