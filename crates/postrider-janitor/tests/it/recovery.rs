//! The dead are found, the living are left alone.

use std::time::{Duration, Instant};

use postrider_janitor::Options;
use postrider_runtime::{Metrics, Stop};
use postrider_store::workers::{self, Burial, Liveness, NewWorker};
use tokio_postgres::Client;

use crate::Stage;

const LEASE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(15);

/// Enters a worker that holds its lock, and returns its incarnation with the session that holds it.
async fn enter(stage: &Stage, name: &str, liveness: Liveness) -> (i64, Client) {
    let incarnation = workers::next(&stage.db).await.expect("the database answers");
    let session = stage.test.client().await;
    if liveness == Liveness::Lock {
        session
            .batch_execute(&format!("SELECT pg_advisory_lock(1886352245, {incarnation})"))
            .await
            .expect("locks");
    }
    let worker =
        NewWorker { incarnation, name, version: "0", roles: &["fanout"], liveness, wakeup: "poll" };
    workers::register(&stage.db, &worker).await.expect("registers");
    (incarnation, session)
}

async fn leases(stage: &Stage, incarnation: i64) -> i64 {
    stage
        .number(&format!("SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner = {incarnation}"))
        .await
}

#[tokio::test]
async fn a_dead_workers_leases_are_due_within_five_seconds_and_a_living_ones_are_left_alone() {
    let stage = Stage::set().await;
    let (own, _own_session) = enter(&stage, "own", Liveness::Lock).await;
    let (living, _living_session) = enter(&stage, "living", Liveness::Lock).await;
    let (doomed, doomed_session) = enter(&stage, "doomed", Liveness::Lock).await;
    stage.publish(1200).await;
    for owner in [own, living, doomed, doomed] {
        stage.owe("clock_timestamp() + interval '50 seconds'", owner).await;
    }

    let (stop, metrics, options) = (Stop::new(), Metrics::new(), Options::new(own, LEASE));
    let released = options.released.clone();
    let janitor = postrider_janitor::run(stage.db.clone(), options, stop.clone(), metrics.clone());
    let death = async {
        drop(doomed_session);
        let start = Instant::now();
        released.woken().await;
        while leases(&stage, doomed).await > 0 {
            assert!(start.elapsed() < Duration::from_secs(20), "the dead worker keeps its leases");
        }
        let took = start.elapsed();
        stop.request_soft();
        took
    };
    let (took, ended) = tokio::join!(death, janitor);
    ended.expect("the janitor never fails");

    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert!(took > Duration::from_secs(2), "a grace is given: {took:?}");
    let due = "SELECT count(*) FROM postrider.webhook_deliveries_open
               WHERE lease_owner IS NULL AND lease_no = 4 AND next_attempt_at <= clock_timestamp()";
    assert_eq!(stage.number(due).await, 2400);
    assert_eq!((leases(&stage, own).await, leases(&stage, living).await), (1200, 1200));
    assert_eq!(metrics.leases_released.get(), 2400);
    assert_eq!(
        stage.number("SELECT count(*) FROM postrider.webhook_workers").await,
        2,
        "the dead one is out of the fleet"
    );
}

#[tokio::test]
async fn the_releasing_transaction_tests_death_once_more() {
    let stage = Stage::set().await;
    let (living, _session) = enter(&stage, "living", Liveness::Lock).await;
    stage.publish(3).await;
    stage.owe("clock_timestamp() + interval '50 seconds'", living).await;
    let burial =
        workers::bury(&stage.db, living, LIMIT, LEASE, 1000).await.expect("the database answers");
    assert_eq!(burial, Burial::NotOurs);
    assert_eq!(leases(&stage, living).await, 3);
}

#[tokio::test]
async fn leases_are_released_in_chunks_until_none_is_left() {
    let stage = Stage::set().await;
    let (dead, session) = enter(&stage, "dead", Liveness::Heartbeat).await;
    stage.publish(25).await;
    stage.owe("clock_timestamp() + interval '50 seconds'", dead).await;
    stage.execute("UPDATE postrider.webhook_workers SET heartbeat_at = clock_timestamp() - interval '16 seconds'").await;
    drop(session);
    let mut burials = Vec::new();
    loop {
        let burial =
            workers::bury(&stage.db, dead, LIMIT, LEASE, 10).await.expect("the database answers");
        burials.push(burial);
        if burial == Burial::NotOurs {
            break;
        }
    }
    assert_eq!(
        burials,
        [Burial::Released(10), Burial::Released(10), Burial::Done(5), Burial::NotOurs]
    );
}

#[tokio::test]
async fn a_silent_worker_without_a_lock_is_judged_by_its_heartbeat() {
    let stage = Stage::set().await;
    let (silent, _) = enter(&stage, "silent", Liveness::Heartbeat).await;
    let looks_dead = || async {
        let look = workers::look(&stage.db, 0, LIMIT).await.expect("the database answers");
        look.suspects.iter().map(|suspect| suspect.incarnation).collect::<Vec<_>>()
    };
    assert_eq!(looks_dead().await, Vec::<i64>::new());
    stage.execute("UPDATE postrider.webhook_workers SET heartbeat_at = clock_timestamp() - interval '14 seconds'").await;
    assert_eq!(looks_dead().await, Vec::<i64>::new());
    stage.execute("UPDATE postrider.webhook_workers SET heartbeat_at = clock_timestamp() - interval '16 seconds'").await;
    assert_eq!(looks_dead().await, [silent]);
    assert!(workers::heartbeat(&stage.db, silent).await.expect("the database answers"));
    assert_eq!(looks_dead().await, Vec::<i64>::new(), "it spoke in time");

    stage.execute("UPDATE postrider.webhook_workers SET heartbeat_at = clock_timestamp() - interval '16 seconds'").await;
    assert_eq!(
        workers::bury(&stage.db, silent, LIMIT, LEASE, 10).await.expect("buries"),
        Burial::Done(0)
    );
    assert!(
        !workers::heartbeat(&stage.db, silent).await.expect("the database answers"),
        "too late: it must come back anew"
    );
}
