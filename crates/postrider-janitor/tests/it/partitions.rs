//! Partitions are there before they are needed, and whatever was left half done is brought to its end.

use std::cell::Cell;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use postrider_janitor::partitions::{Pass, pass};
use postrider_janitor::{Retention, retention};
use postrider_runtime::Stop;
use postrider_store::maintenance::Maintenance;
use postrider_store::partitions::{Kind, Listing, Parent, Partition, State, list};

use crate::Stage;

async fn keep(stage: &Stage, now: Timestamp) -> Pass {
    let mut maintenance = stage.housekeeping().await;
    pass(&mut maintenance, Some(now)).await.expect("the database answers")
}

/// No gap, nothing half done, catalog and registry agree, days for a week, months for a year, a tail.
fn assert_in_order(listing: &Listing, now: Timestamp) {
    for parent in Parent::ALL {
        let all: Vec<&Partition> = listing.of(parent).collect();
        for partition in &all {
            assert!(partition.state == State::Attached && partition.registered, "{partition:?}");
        }
        for pair in all.windows(2) {
            assert_eq!(pair[0].hi, pair[1].lo, "a gap in {}", parent.as_str());
        }
        let last = all.last().expect("there are partitions");
        assert_eq!((last.kind, last.hi), (Kind::Tail, None));
        let tail = last.lo.expect("the tail begins somewhere");
        assert!(
            tail >= now + SignedDuration::from_hours(24 * 365),
            "{} has a tail from {tail}",
            parent.as_str()
        );
        let month = all
            .iter()
            .find(|p| p.kind == Kind::Month && p.lo > Some(now))
            .expect("there are months");
        let days_end = month.lo.expect("a month begins somewhere");
        assert!(
            days_end >= now + SignedDuration::from_hours(24 * 7),
            "{} has days until {days_end}",
            parent.as_str()
        );
    }
}

#[tokio::test]
async fn a_new_schema_is_in_order() {
    let stage = Stage::set().await;
    let now = stage.in_days(0).await;
    let pass = keep(&stage, now).await;
    assert_eq!((pass.made, pass.repaired, pass.blocked.len()), (0, 0, 0));
    assert_in_order(&stage.listing().await, now);
}

#[tokio::test]
async fn days_are_made_before_they_are_needed() {
    let stage = Stage::set().await;
    let now = stage.in_days(25).await;
    let made = keep(&stage, now).await;
    assert!(made.made >= 3 && made.blocked.is_empty() && made.in_use.is_empty(), "{made:?}");
    assert_in_order(&stage.listing().await, now);
    let again = keep(&stage, now).await;
    assert_eq!((again.made, again.repaired), (0, 0));
}

/// Keeps and lets go at each of these days from now.
async fn rounds(days: impl Iterator<Item = i64>) {
    let stage = Stage::set().await;
    // Noon, so that no test ever runs in the last hour of a month.
    let today = stage.in_days(0).await.as_second() / 86_400;
    let start = Timestamp::from_second(today * 86_400 + 43_200).expect("a time of today");
    for day in days {
        let now = start + SignedDuration::from_hours(24 * day);
        let mut maintenance = stage.housekeeping().await;
        let made = pass(&mut maintenance, Some(now)).await.expect("the database answers");
        assert!(
            made.blocked.is_empty() && made.in_use.is_empty() && made.repaired == 0,
            "day {day}: {made:?}"
        );
        let gone = retention::pass(
            &mut maintenance,
            &Retention::default(),
            Some(now),
            false,
            &Stop::new(),
        )
        .await;
        assert!(gone.expect("the database answers").kept.is_empty());
        let listing = list(&mut maintenance, Some(now)).await.expect("the database answers");
        assert_in_order(&listing, now);
    }
}

#[tokio::test]
async fn months_of_keeping_and_letting_go_never_leave_a_gap() {
    rounds((0..15).map(|week| 7 * week)).await;
}

#[tokio::test]
async fn a_janitor_that_was_away_for_a_year_catches_up() {
    rounds([0, 400, 401].into_iter()).await;
}

#[tokio::test]
async fn an_interrupted_detach_is_finished_later() {
    let stage = Stage::set().await;
    let now = stage.in_days(25).await;
    let reader = stage.test.client().await;
    reader
        .batch_execute("BEGIN; SELECT count(*) FROM postrider.webhook_attempts")
        .await
        .expect("reads");

    let blocked = keep(&stage, now).await;
    let names: Vec<Parent> = blocked.blocked.iter().map(|(parent, _)| *parent).collect();
    assert_eq!(
        names,
        [Parent::Attempts],
        "only the table that somebody reads is held up: {blocked:?}"
    );
    let half_done = stage.listing().await;
    let states: Vec<State> =
        half_done.of(Parent::Attempts).map(|p| p.state).filter(|s| *s != State::Attached).collect();
    assert_eq!(states, [State::Detaching]);

    reader.batch_execute("COMMIT").await.expect("ends");
    let done = keep(&stage, now).await;
    assert!(done.repaired == 1 && done.made > 0 && done.blocked.is_empty(), "{done:?}");
    assert_in_order(&stage.listing().await, now);
}

#[tokio::test]
async fn a_table_off_its_parent_comes_back_or_gives_way() {
    let stage = Stage::set().await;
    stage.publish(3).await;
    let listing = stage.listing().await;
    let events: Vec<&Partition> = listing.of(Parent::Events).collect();
    let month = events.iter().find(|p| p.kind == Kind::Month).expect("there are months");
    for name in [&events[0].name, &month.name] {
        stage
            .execute(&format!(
                "ALTER TABLE postrider.webhook_events DETACH PARTITION postrider.{name}"
            ))
            .await;
    }
    assert_eq!(stage.number("SELECT count(*) FROM postrider.webhook_events").await, 0);

    let pass = keep(&stage, listing.now).await;
    assert!(pass.repaired == 1 && pass.made > 0, "{pass:?}");
    assert_in_order(&stage.listing().await, listing.now);
    assert_eq!(
        stage.number("SELECT count(*) FROM postrider.webhook_events").await,
        3,
        "nothing was lost"
    );
}

#[tokio::test]
async fn registry_and_catalog_are_made_to_agree() {
    let stage = Stage::set().await;
    let listing = stage.listing().await;
    let closed: Vec<&Partition> = listing.of(Parent::Closed).collect();
    // One forgotten by the registry, one dropped by hand, one that never was, one dropped with its registration.
    stage
        .execute(&format!(
            "DELETE FROM postrider.partitions WHERE name = '{}';
             DROP TABLE postrider.{};
             INSERT INTO postrider.partitions VALUES ('webhook_deliveries_closed', 'nowhere', 'day', '1999-01-01', '1999-01-02');
             DROP TABLE postrider.{};
             DELETE FROM postrider.partitions WHERE name = '{}'",
            closed[0].name, closed[5].name, closed[8].name, closed[8].name
        ))
        .await;
    let pass = keep(&stage, listing.now).await;
    assert_eq!((pass.repaired, pass.made, pass.blocked.len()), (5, 2, 0), "{pass:?}");
    assert_in_order(&stage.listing().await, listing.now);
}

#[tokio::test]
async fn a_month_with_rows_in_it_stays_whole() {
    let stage = Stage::set().await;
    let now = stage.in_days(25).await;
    stage
        .execute(
            "INSERT INTO postrider.webhook_attempts (delivery_id, started_at, endpoint_id, duration_ms, attempt, outcome)
             VALUES (gen_random_uuid(), clock_timestamp() + interval '31 days', gen_random_uuid(), 1, 1, 'delivered')",
        )
        .await;
    let pass = keep(&stage, now).await;
    assert_eq!(pass.in_use.len(), 1, "{pass:?}");
    assert!(pass.in_use[0].starts_with("webhook_attempts_m"));
    assert_eq!(stage.number("SELECT count(*) FROM postrider.webhook_attempts").await, 1);
}

#[tokio::test]
async fn one_janitor_of_the_fleet_keeps_house() {
    let stage = Stage::set().await;
    let first = Maintenance::begin(&stage.db).await.expect("the database answers");
    assert!(first.is_some());
    assert!(Maintenance::begin(&stage.db).await.expect("the database answers").is_none());
    drop(first);
    drop(stage.housekeeping().await);
}

#[tokio::test]
async fn publishers_do_not_wait_while_partitions_change() {
    let stage = Stage::set().await;
    let now = stage.in_days(25).await;
    let publisher = stage.test.client().await;
    let slowest = Cell::new(Duration::ZERO);
    let publishing = async {
        loop {
            let start = Instant::now();
            publisher
                .batch_execute("SELECT postrider.publish('email.received', 't', '{}')")
                .await
                .expect("a publisher never fails because of us");
            slowest.set(slowest.get().max(start.elapsed()));
        }
    };
    tokio::select! {
        () = publishing => {}
        pass = keep(&stage, now) => assert!(pass.made > 0 && pass.blocked.is_empty(), "{pass:?}"),
    }
    let published = stage.number("SELECT count(*) FROM postrider.webhook_events").await;
    assert!(published > 10, "only {published} were published meanwhile");
    assert!(slowest.get() < Duration::from_millis(900), "a publisher waited {:?}", slowest.get());
}

#[tokio::test]
async fn partitions_with_rows_get_the_indexes_that_came_later_while_others_write() {
    let stage = Stage::set().await;
    // As a migration finds an installation that has published: one of the indexes was begun and left half done.
    stage
        .execute(
            "DROP INDEX postrider.webhook_events_tenant;
             DROP INDEX postrider.webhook_deliveries_closed_endpoint;
             SELECT count(postrider.publish_v1('t', 'e' || i, 'a.b', '{}', NULL, NULL, NULL, NULL, NULL, false)) FROM generate_series(1, 100) i;
             CREATE INDEX webhook_events_tenant ON ONLY postrider.webhook_events (hashtext(tenant_id), ((seq >> 12)::integer));
             CREATE INDEX webhook_deliveries_closed_endpoint ON ONLY postrider.webhook_deliveries_closed
                 (uuid_hash(endpoint_id), hashtext(status), ((event_seq >> 12)::integer));
             DO $$ DECLARE v record; BEGIN
                 SELECT * INTO STRICT v FROM postrider.lacking_indexes_v1() l WHERE NOT l.is_empty;
                 EXECUTE 'CREATE INDEX ' || v.definition;
                 UPDATE pg_index SET indisvalid = false WHERE indexrelid = format('postrider.%I', v.index)::regclass;
             END $$",
        )
        .await;
    let lacking = "SELECT count(*) FROM postrider.lacking_indexes_v1()";
    assert!(stage.number(lacking).await > 100);
    // Somebody publishes, and has not committed yet.
    let mut publisher = stage.test.client().await;
    let open = publisher.transaction().await.expect("begins");
    let publish = "SELECT postrider.publish_v1('t', 'late', 'a.b', '{}', NULL, NULL, NULL, NULL, NULL, false)";
    open.query_one(publish, &[]).await.expect("published");
    let now = stage.in_days(0).await;
    let (pass, ()) = tokio::join!(keep(&stage, now), async {
        // The build of a day waits for whoever writes to it, and holds up nobody meanwhile.
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'";
        while stage.number(waits).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stage.execute("SELECT postrider.publish_v1('t', 'meanwhile', 'a.b', '{}', NULL, NULL, NULL, NULL, NULL, false)").await;
        open.commit().await.expect("committed");
    });
    assert!(pass.indexed > 100, "{pass:?}");
    assert_eq!(stage.number(lacking).await, 0);
    let valid = "SELECT count(*) FROM pg_index WHERE indisvalid
         AND indexrelid IN ('postrider.webhook_events_tenant'::regclass, 'postrider.webhook_deliveries_closed_endpoint'::regclass)";
    assert_eq!(stage.number(valid).await, 2);
    let events =
        "SELECT count(*) FROM postrider.webhook_events WHERE hashtext(tenant_id) = hashtext('t')";
    assert_eq!(stage.number(events).await, 102);
}
