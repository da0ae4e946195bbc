//! Nothing below the horizon becomes visible later, whoever publishes how.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postrider_store::follow::Follow;
use postrider_store::horizon::{Horizon, Sight};
use postrider_store::positions::Position;
use postrider_store::{Connect, Db, Mode};
use postrider_testkit::TestDb;
use tokio_postgres::Client;

fn horizon(test: &TestDb) -> Horizon {
    let connect = Connect::parse(test.url(), "postrider-test", None).unwrap();
    Horizon::new(Db::new(&connect, Mode::Direct, 4).unwrap())
}

async fn decided(horizon: &Horizon) -> i64 {
    horizon.decided().await.unwrap().decided
}

async fn publish(client: &Client, id: &str) {
    let publish = "SELECT postrider.publish_v1('t', $1, 'email.sent', '{}', NULL, NULL, NULL, NULL, NULL, false)";
    client.query_one(publish, &[&id]).await.unwrap();
}

async fn seq(client: &Client, id: &str) -> i64 {
    let sql = "SELECT seq FROM postrider.webhook_events WHERE id = $1";
    client.query_one(sql, &[&id]).await.unwrap().get(0)
}

#[tokio::test]
async fn nothing_is_decided_of_an_empty_ledger_and_everything_when_nobody_publishes() {
    let test = TestDb::new().await;
    let (horizon, client) = (horizon(&test), test.client().await);
    assert_eq!(decided(&horizon).await, 0);
    publish(&client, "a").await;
    assert_eq!(decided(&horizon).await, seq(&client, "a").await);
}

#[tokio::test]
async fn a_late_committer_holds_the_horizon_until_it_commits_or_rolls_back() {
    let test = TestDb::new().await;
    let (horizon, client, late) = (horizon(&test), test.client().await, test.client().await);
    publish(&client, "a").await;
    for end in ["COMMIT", "ROLLBACK"] {
        let before = decided(&horizon).await;
        late.batch_execute("BEGIN").await.unwrap();
        publish(&late, &format!("late-{end}")).await;
        publish(&client, &format!("early-{end}")).await;
        assert_eq!(decided(&horizon).await, before, "what is open comes after it");
        late.batch_execute(end).await.unwrap();
        let early = seq(&client, &format!("early-{end}")).await;
        assert_eq!(decided(&horizon).await, early);
    }
}

#[tokio::test]
async fn a_prepared_transaction_is_a_publisher_that_has_not_ended() {
    let test = TestDb::new().await;
    let (horizon, client, two_phase) = (horizon(&test), test.client().await, test.client().await);
    two_phase.batch_execute("SET postrider.wakeup = off; BEGIN").await.unwrap();
    publish(&two_phase, "prepared").await;
    decided(&horizon).await;
    let prepare = format!("PREPARE TRANSACTION '{}'", test.name());
    let prepared = two_phase.batch_execute(&prepare).await;
    prepared.expect("the server knows prepared transactions: stop an old one with `test-pg stop`");
    // Its session is gone, it is not.
    drop(two_phase);
    publish(&client, "a").await;
    assert_eq!(decided(&horizon).await, 0);
    client.batch_execute(&format!("COMMIT PREPARED '{}'", test.name())).await.unwrap();
    assert_eq!(decided(&horizon).await, seq(&client, "a").await);
}

#[tokio::test]
async fn behind_a_long_open_one_the_horizon_stays_where_it_was_also_for_a_new_process() {
    let test = TestDb::new().await;
    let (client, long) = (test.client().await, test.client().await);
    publish(&client, "a").await;
    let first = horizon(&test);
    let before = decided(&first).await;
    long.batch_execute("BEGIN").await.unwrap();
    publish(&long, "long").await;
    publish(&client, "b").await;
    assert_eq!(decided(&first).await, before);
    assert_eq!(decided(&horizon(&test)).await, before, "it was kept");
    long.batch_execute("COMMIT").await.unwrap();
    assert_eq!(decided(&horizon(&test)).await, seq(&client, "b").await);
}

#[tokio::test]
async fn what_is_rolled_back_to_a_savepoint_holds_nobody_up() {
    let test = TestDb::new().await;
    let (horizon, client, other) = (horizon(&test), test.client().await, test.client().await);
    other.batch_execute("BEGIN; SAVEPOINT s").await.unwrap();
    publish(&other, "gone").await;
    other.batch_execute("ROLLBACK TO s").await.unwrap();
    publish(&client, "a").await;
    assert_eq!(decided(&horizon).await, seq(&client, "a").await);
}

/// Publishes until it is told to stop: keeps transactions open for a while, and rolls some back.
async fn crowd(client: Client, number: u32, stop: Arc<AtomicBool>) {
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        client.batch_execute("BEGIN").await.unwrap();
        publish(&client, &format!("{number}-{n}")).await;
        let hold = format!("SELECT pg_sleep({})", f64::from((number * 7 + n) % 13) / 1000.0);
        client.batch_execute(&hold).await.unwrap();
        let end = if (number + n).is_multiple_of(5) { "ROLLBACK" } else { "COMMIT" };
        client.batch_execute(end).await.unwrap();
    }
}

#[tokio::test]
async fn among_many_publishers_nothing_below_the_horizon_is_seen_for_the_first_time() {
    let test = TestDb::new().await;
    let (horizon, client, stop) =
        (horizon(&test), test.client().await, Arc::new(AtomicBool::new(false)));
    let mut publishers = tokio::task::JoinSet::new();
    for number in 0..12 {
        publishers.spawn(crowd(test.client().await, number, Arc::clone(&stop)));
    }
    let below = "SELECT seq FROM postrider.webhook_events WHERE seq <= $1 ORDER BY seq";
    let (mut read, mut last, mut moved) = (Vec::<i64>::new(), Sight::default(), 0);
    while moved < 60 {
        let sight = horizon.decided().await.unwrap();
        let rows = client.query(below, &[&sight.decided]).await.unwrap();
        let now: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let before: Vec<i64> = now.iter().copied().filter(|seq| *seq <= last.decided).collect();
        assert_eq!(before, read, "something came late below {}", last.decided);
        moved += u32::from(sight.decided > last.decided);
        (read, last) = (now, Sight::clone(&sight));
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = publishers.join_next().await {
        ended.unwrap();
    }
    assert!(read.len() > 100, "{}", read.len());
    let all = client.query(below, &[&i64::MAX]).await.unwrap();
    let sight = horizon.look(Duration::ZERO).await.unwrap();
    assert_eq!((sight.decided >= all.last().unwrap().get(0), sight.drawn), (true, sight.decided));
}

#[tokio::test]
async fn who_follows_is_given_every_committed_event_once_and_a_position_that_misses_none() {
    let test = TestDb::new().await;
    let connect = Connect::parse(test.url(), "postrider-test", None).unwrap();
    let db = Db::new(&connect, Mode::Direct, 4).unwrap();
    let horizon = Horizon::new(db.clone());
    let follow = |at| {
        Follow::from(horizon.clone(), (db.clone(), db.clone()), Some("t".to_owned()), None, at)
    };
    let (client, long) = (test.client().await, test.client().await);
    let mut first = follow(Position::default());
    first.begin_now().await.unwrap();
    long.batch_execute("BEGIN").await.unwrap();
    publish(&long, "long").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut publishers = tokio::task::JoinSet::new();
    for number in 0..8 {
        publishers.spawn(crowd(test.client().await, number, Arc::clone(&stop)));
    }
    // In the middle another one begins where the first one says that nothing is missing.
    let (mut given, mut again, mut second) = (Vec::new(), Vec::new(), None);
    while given.len() < 400 {
        given.extend(first.step().await.unwrap().into_iter().map(|(_, event)| event.seq));
        if given.len() > 200 && second.is_none() {
            second = Some((follow(first.at()), first.at().seq));
        }
        if let Some((second, _)) = &mut second {
            again.extend(second.step().await.unwrap().into_iter().map(|(_, event)| event.seq));
        }
    }
    long.batch_execute("COMMIT").await.unwrap();
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = publishers.join_next().await {
        ended.unwrap();
    }
    let (mut second, from) = second.unwrap();
    let drawn = horizon.look(Duration::ZERO).await.unwrap().drawn;
    while first.at().seq < drawn || second.at().seq < drawn {
        given.extend(first.step().await.unwrap().into_iter().map(|(_, event)| event.seq));
        again.extend(second.step().await.unwrap().into_iter().map(|(_, event)| event.seq));
    }
    let sql = "SELECT seq FROM postrider.webhook_events ORDER BY seq";
    let all: Vec<i64> =
        client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    given.sort_unstable();
    again.sort_unstable();
    assert_eq!(given, all);
    let rest: Vec<i64> = all.into_iter().filter(|seq| *seq > from).collect();
    assert_eq!(again, rest);
}
