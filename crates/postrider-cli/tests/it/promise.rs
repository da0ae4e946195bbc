//! The promise, with the real binary: publish in a transaction, end the worker in any way, and every subscriber still gets
//! every event, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postrider::{Event, EventType, publish_tx};
use postrider_testkit::{Behaviour, Received, Receiver, TestDb};
use tokio::process::Child;
use tokio_postgres::Client;

use crate::support::{Cli, finished, terminate};

const PATIENCE: Duration = Duration::from_secs(40);
const RUN: [&str; 4] = ["run", "--dev", "--admin-listen", "off"];
const OPEN: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open";
const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries WHERE status = 'delivered'";
const LEASED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NOT NULL";
/// Deliveries that wait for their second attempt.
const REFUSED_ONCE: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open
    WHERE next_attempt_at > clock_timestamp() AND attempts = 1 AND lease_owner IS NULL";
/// Requests that one endpoint gets at a time.
const AT_A_TIME: u64 = 10;

/// A database, a service that publishes from it, a receiver, and a way to start workers.
struct Stage {
    /// Dropped first, and its sessions with it.
    _db: TestDb,
    client: Client,
    receiver: Receiver,
    cli: Cli,
}

impl Stage {
    /// With an endpoint at each of these paths.
    async fn with(paths: &[&str]) -> Self {
        let db = TestDb::new().await;
        let (client, receiver, cli) = (db.client().await, Receiver::start().await, Cli::at(&db));
        client.batch_execute("CREATE TABLE public.orders (id text PRIMARY KEY)").await.unwrap();
        for path in paths {
            cli.run(&["endpoints", "add", &receiver.url(path), "--dev"]).await.exits(0);
        }
        Self { client, receiver, cli, _db: db }
    }

    /// The service stores an order and says so, in one transaction; every tenth time it thinks better of it.
    /// Returns the ids of the events that were committed.
    async fn serve(&mut self, orders: std::ops::Range<u32>) -> BTreeSet<String> {
        let mut committed = BTreeSet::new();
        for order in orders {
            let id = format!("order_{order}");
            let tx = self.client.transaction().await.unwrap();
            tx.execute("INSERT INTO public.orders VALUES ($1)", &[&id]).await.unwrap();
            let event = Event::new(EventType::parse("order.paid").unwrap(), "default").id(&id);
            let data = format!("{{\"order\": {order}, \"note\": \"né à Zürich 😀\"}}");
            assert!(publish_tx(&tx, &event.data_text(data)).await.unwrap().is_inserted());
            if order % 10 == 9 {
                tx.rollback().await.unwrap();
            } else {
                tx.commit().await.unwrap();
                committed.insert(id);
            }
        }
        committed
    }

    async fn count(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Waits until a count is what it should be, and returns how long that took.
    async fn becomes(&self, sql: &str, wanted: i64) -> Duration {
        let since = Instant::now();
        while self.count(sql).await != wanted {
            assert!(since.elapsed() < PATIENCE, "{sql} is not {wanted}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        since.elapsed()
    }

    /// Waits until so many requests are open at once.
    async fn crowded(&self, requests: u64) {
        let since = Instant::now();
        while self.receiver.open() < requests {
            assert!(since.elapsed() < PATIENCE, "only {} requests came", self.receiver.open());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts a worker of this name and waits until it is in the fleet.
    async fn worker(&self, name: &str) -> Child {
        let child = self.cli.start(&[&RUN[..], &["--name", name]].concat());
        self.becomes(
            &format!("SELECT count(*) FROM postrider.webhook_workers WHERE name = '{name}'"),
            1,
        )
        .await;
        child
    }
}

/// What one path was sent, by event.
fn by_event(received: &[Received]) -> BTreeMap<&str, Vec<&Received>> {
    let mut events = BTreeMap::<_, Vec<_>>::new();
    for request in received {
        events.entry(request.id()).or_default().push(request);
    }
    events
}

fn signal(child: &Child, signal: &str) {
    let pid = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args([signal, &pid]).status();
    assert!(sent.expect("kill can be started").success());
}

#[tokio::test]
async fn a_worker_that_is_killed_with_requests_in_flight_loses_nothing() {
    let mut stage = Stage::with(&["/a", "/b"]).await;
    stage.receiver.behave_by_default(Behaviour::Hang);
    let mut first = stage.worker("first").await;
    let mut committed = stage.serve(0..40).await;
    stage.crowded(2 * AT_A_TIME).await;
    first.kill().await.unwrap();
    let in_flight = stage.receiver.count();
    let held = stage.count(LEASED).await;
    assert!(held >= 2 * 10, "{held} deliveries are leased to a worker that is dead");

    stage.receiver.behave_by_default(Behaviour::status(200));
    committed.extend(stage.serve(40..60).await); // while nobody works
    let second = stage.worker("second").await;
    let dead = "SELECT count(*) FROM postrider.webhook_workers WHERE name = 'first'";
    let released = stage.becomes(dead, 0).await;
    assert!(
        released <= Duration::from_secs(5),
        "the dead worker's leases were due after {released:?}"
    );
    stage.becomes(OPEN, 0).await;
    assert_eq!(stage.count(DELIVERED).await, 2 * i64::try_from(committed.len()).unwrap());

    let mut repeated = 0;
    for path in ["/a", "/b"] {
        let received = stage.receiver.received_at(path);
        let events = by_event(&received);
        let ids: BTreeSet<String> = events.keys().map(|id| (*id).to_owned()).collect();
        assert_eq!(ids, committed, "at {path}: what was committed, and nothing else");
        for (id, requests) in events {
            assert!(requests.iter().any(|request| request.answered == Some(200)), "{id}");
            assert!(requests.iter().all(|request| request.body == requests[0].body), "{id}");
            repeated += requests.len() as u64 - 1;
        }
    }
    assert_eq!(repeated, in_flight, "only what was in flight came again");
    terminate(&second);
    finished(second, &RUN).await.exits(0);
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_what_is_in_flight_and_gives_back_the_rest() {
    let mut stage = Stage::with(&["/slow"]).await;
    stage.receiver.behave_by_default(Behaviour::delay(Duration::from_millis(400)));
    let worker = stage.worker("only").await;
    let committed = stage.serve(0..50).await;
    stage.crowded(AT_A_TIME).await;
    terminate(&worker);
    finished(worker, &RUN).await.exits(0);
    let received = stage.receiver.received();
    assert!(received.iter().all(|request| request.answered == Some(200)), "none was cut off");
    assert!(received.len() < committed.len(), "it stopped before the end");
    assert_eq!(stage.count(DELIVERED).await, i64::try_from(received.len()).unwrap());
    assert_eq!(stage.count(LEASED).await, 0, "what it did not start is anybody's");
    assert_eq!(stage.count("SELECT count(*) FROM postrider.webhook_workers").await, 0);

    stage.receiver.behave_by_default(Behaviour::status(200));
    stage.cli.run(&[&RUN[..], &["--once"]].concat()).await.exits(0);
    let received = stage.receiver.received();
    assert_eq!(by_event(&received).len(), committed.len());
    assert_eq!(received.len(), committed.len(), "nothing came twice");
}

#[tokio::test]
async fn run_once_drains_everything_that_is_due_and_leaves_what_is_not() {
    let mut stage = Stage::with(&["/a", "/failing"]).await;
    stage.receiver.behave("/failing", Behaviour::statuses([500]));
    let committed = stage.serve(0..200).await;
    stage.cli.run(&[&RUN[..], &["--once"]].concat()).await.exits(0);
    let all = i64::try_from(committed.len()).unwrap();
    assert_eq!(stage.count(DELIVERED).await, all);
    // Ten failures open the circuit: those and what was in flight wait for their second attempt, the others for their first.
    let refused = stage.count(REFUSED_ONCE).await;
    assert!((10..all).contains(&refused), "{refused} of {all} were tried");
    let untried = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE attempts = 0 AND lease_owner IS NULL";
    assert_eq!(stage.count(untried).await, all - refused, "waiting burns no attempt");
    assert_eq!(stage.receiver.received_at("/a").len(), committed.len());
    assert_eq!(i64::try_from(stage.receiver.received_at("/failing").len()).unwrap(), refused);
}

/// Everything about all deliveries.
const ROWS: &str =
    "SELECT md5(string_agg(d::text, ' ' ORDER BY d.id)) FROM postrider.webhook_deliveries d";

/// Receivers that change their mind: what they answer the first worker is the opposite of what they answer the second.
fn two_minded() -> Behaviour {
    let asked = [AtomicU64::new(0), AtomicU64::new(0)];
    Behaviour::ask(move |request| {
        let yielding = request.path == "/yielding";
        let early = asked[usize::from(yielding)].fetch_add(1, Ordering::SeqCst) < AT_A_TIME;
        let answer = Behaviour::status(if early == yielding { 500 } else { 200 });
        if early { Behaviour::Delay(Duration::from_millis(700), Box::new(answer)) } else { answer }
    })
}

#[tokio::test]
async fn a_worker_that_stood_still_for_longer_than_its_leases_overwrites_nothing() {
    let mut stage = Stage::with(&[]).await;
    for path in ["/yielding", "/hardening"] {
        let url = stage.receiver.url(path);
        let args = ["endpoints", "add", &url, "--dev", "--retry-schedule", "1h"];
        stage.cli.run(&args).await.exits(0);
    }
    stage.cli = stage
        .cli
        .with("POSTRIDER_WORKER_LEASE", "12s")
        .with("POSTRIDER_WORKER_ATTEMPT_TIMEOUT", "1s")
        .with("POSTRIDER_WORKER_CONNECT_TIMEOUT", "1s")
        // No circuit: every delivery is to be tried.
        .with("POSTRIDER_HEALTH_OPEN_AFTER", "1000");
    stage.receiver.behave_by_default(two_minded());
    let first = stage.worker("first").await;
    let committed = stage.serve(0..30).await;
    stage.crowded(2 * AT_A_TIME).await;
    signal(&first, "-STOP");

    // When the leases of the one that stands still have run out, the other delivers to one, and is refused by the other.
    let second = stage.worker("second").await;
    let all = i64::try_from(committed.len()).unwrap();
    stage.becomes(DELIVERED, all).await;
    stage.becomes(REFUSED_ONCE, all).await;
    let rows = async || stage.client.query_one(ROWS, &[]).await.unwrap().get::<_, String>(0);
    let (before, requests) = (rows().await, stage.receiver.count());
    signal(&first, "-CONT");
    tokio::time::sleep(Duration::from_secs(2)).await; // it does whatever it will do
    assert_eq!(rows().await, before, "it wrote something that it had no right to write");
    assert_eq!(stage.receiver.count(), requests, "it sent something that was not its own any more");
    terminate(&first);
    finished(first, &RUN).await.exits(0).says("came too late");
    terminate(&second);
    finished(second, &RUN).await.exits(0);
}
