//! Jobs beside fan-outs and recorders that are at it: nothing is left out, nothing is owed twice.

use std::time::Duration;

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_janitor::jobs::pass;
use postrider_runtime::Stop;
use postrider_store::jobs::{self, Step};
use postrider_store::recover::Owed;
use uuid::Uuid;

use crate::Stage;

const OWNER: i64 = 1;
const LEASE: Duration = Duration::from_secs(60);

/// An endpoint of tenant `t`, and the job that sends it what it would have wanted before.
async fn backfilled(stage: &Stage, ordering: &str) -> EndpointId {
    let id = Uuid::now_v7();
    stage
        .execute(&format!(
            "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, ordering) VALUES ('{id}', 't', 'https://example.com/', '{{*}}', '{ordering}');
             INSERT INTO postrider.jobs (id, tenant_id, kind, endpoint_id, since, until, wanted, rate)
             VALUES (gen_random_uuid(), 't', 'backfill', '{id}', 'epoch', clock_timestamp(), '{{\"statuses\": [], \"missed\": true, \"event_types\": []}}', 10000)"
        ))
        .await;
    EndpointId(id)
}

async fn open(stage: &Stage) -> i64 {
    stage.number("SELECT count(*) FROM postrider.webhook_deliveries_open").await
}

#[tokio::test]
async fn a_backfill_waits_for_fan_outs_that_began_before_its_endpoint() {
    let stage = Stage::set().await;
    stage.publish(3).await;
    // A fan-out that has read the routes before the endpoint was there, and has not committed yet.
    let fan_out = stage.test.client().await;
    fan_out
        .batch_execute("BEGIN; DELETE FROM postrider.webhook_events_pending WHERE seq > (SELECT min(seq) FROM postrider.webhook_events)")
        .await
        .unwrap();
    stage.execute("DELETE FROM postrider.webhook_events_pending WHERE seq = (SELECT min(seq) FROM postrider.webhook_events)").await;
    backfilled(&stage, "none").await;
    let stop = Stop::new();
    assert!(pass(&stage.db, OWNER, &stop).await.unwrap());
    assert_eq!(open(&stage).await, 1, "only what is fanned out for sure");
    assert_eq!(stage.number("SELECT count(*) FROM postrider.jobs WHERE state = 'running' AND owned_until > clock_timestamp()").await, 1);
    assert!(
        !pass(&stage.db, OWNER, &stop).await.unwrap(),
        "it is left alone for a moment, and others are not kept waiting"
    );
    fan_out.batch_execute("COMMIT").await.unwrap();
    stage.execute("UPDATE postrider.jobs SET owned_until = clock_timestamp()").await;
    assert!(pass(&stage.db, OWNER, &stop).await.unwrap());
    assert_eq!(open(&stage).await, 3);
    assert_eq!(stage.number("SELECT made FROM postrider.jobs WHERE state = 'done'").await, 3);
}

#[tokio::test]
async fn what_a_recorder_closes_meanwhile_is_not_owed_again() {
    let stage = Stage::set().await;
    let seq = stage.publish(1).await;
    let endpoint = backfilled(&stage, "none").await;
    let row = stage
        .onlooker
        .query_one("SELECT created_at, id FROM postrider.webhook_events WHERE seq = $1", &[&seq])
        .await
        .unwrap();
    let (created_at, id): (jiff::Timestamp, String) = (row.get(0), row.get(1));
    let ms = u64::try_from(created_at.as_millisecond()).unwrap();
    let delivery = DeliveryId::derive(ms, "t", &id, endpoint, 0);
    let owed = [Owed { delivery, seq, created_at, replay: 0, ordering_key: None }];
    let job = jobs::claim(&stage.db, OWNER, LEASE).await.unwrap().expect("the job");
    let step = async || {
        jobs::advance(&stage.db, OWNER, &job, &owed, (seq, None), false, LEASE).await.unwrap()
    };
    assert_eq!(step().await, Step::GoesOn);
    assert_eq!((open(&stage).await, stage.number("SELECT made FROM postrider.jobs").await), (1, 1));
    // A recorder has closed it, and has not committed yet when the same is to be owed.
    let recorder = stage.test.client().await;
    recorder
        .batch_execute("BEGIN; WITH gone AS (DELETE FROM postrider.webhook_deliveries_open RETURNING *)
             INSERT INTO postrider.webhook_deliveries_closed (id, endpoint_id, event_seq, event_created_at, open, status, tenant_id, closed_at)
             SELECT id, endpoint_id, event_seq, event_created_at, false, 'delivered', tenant_id, clock_timestamp() FROM gone")
        .await
        .unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let (ended, ()) = tokio::join!(step(), async {
        while stage.number(waits).await == 0 {}
        recorder.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(ended, Step::GoesOn);
    assert_eq!((open(&stage).await, stage.number("SELECT made FROM postrider.jobs").await), (0, 1));
}

#[tokio::test]
async fn what_is_made_up_for_takes_its_place_in_the_order() {
    let stage = Stage::set().await;
    stage
        .execute("SELECT postrider.publish('email.received', 't', '{}', ordering_key => k) FROM unnest('{x,x,y,NULL}'::text[]) k; DELETE FROM postrider.webhook_events_pending")
        .await;
    backfilled(&stage, "key").await;
    assert!(pass(&stage.db, OWNER, &Stop::new()).await.unwrap());
    let keyed = "SELECT count(*) FROM postrider.webhook_deliveries_open d JOIN postrider.webhook_events e ON e.seq = d.event_seq
                 WHERE d.order_key IS NOT DISTINCT FROM e.ordering_key AND (d.order_key IS NOT NULL) = (d.next_attempt_at = 'infinity')";
    assert_eq!((open(&stage).await, stage.number(keyed).await), (4, 4));
}
