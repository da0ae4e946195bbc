//! More workers than an endpoint takes requests at once: the fleet keeps to its cap, nothing waits for those that have no part in
//! it, and when one leaves another takes its part.

use std::time::{Duration, Instant};

use postrider_runtime::Wake;
use postrider_store::workers::{Liveness, NewWorker, register};
use postrider_testkit::Behaviour;
use tokio::task::JoinSet;

use crate::stage::{Knobs, Stage, Worker};

const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";

impl Stage {
    async fn endpoint_with_cap(&self, path: &str, cap: i32) {
        let id = self.endpoint("acme", path).await;
        let set = "UPDATE postrider.webhook_endpoints SET max_in_flight = $2 WHERE id = $1";
        self.client.execute(set, &[&id.0, &cap]).await.unwrap();
    }

    /// How many requests were open at once at this path, where each is open for at least so long.
    fn most_open_at(&self, path: &str, open: Duration) -> usize {
        let arrived: Vec<Instant> = self.receiver.received_at(path).iter().map(|r| r.at).collect();
        let beside = |at: &Instant| arrived.iter().filter(|a| *a <= at && *at < **a + open).count();
        arrived.iter().map(beside).max().unwrap_or(0)
    }

    /// Workers that are in the fleet, and hear what the database says to it.
    async fn fleet(&self, count: i64, listening: &mut JoinSet<()>) -> Vec<Worker> {
        let enter = "INSERT INTO postrider.webhook_workers (incarnation, name, pid, version, roles, liveness, wakeup) \
                     OVERRIDING SYSTEM VALUE SELECT n, 'w' || n, 1, '0', '{delivery}', 'heartbeat', 'listen' FROM generate_series(1, $1::bigint) n";
        self.client.execute(enter, &[&count]).await.unwrap();
        let mut workers = Vec::new();
        for owner in 1..=count {
            let worker = self.worker(Knobs { owner, ..Knobs::default() }).await;
            let (control, wakes) = (
                self.control().await,
                [&worker.endpoints_changed, &worker.look_for_due].map(Wake::clone),
            );
            listening.spawn(async move {
                loop {
                    control.endpoints_knocked().await;
                    wakes.iter().for_each(Wake::wake);
                }
            });
            workers.push(worker);
        }
        // Each looks at once; until then it takes itself for the only one.
        tokio::time::sleep(Duration::from_millis(500)).await;
        workers
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_of_more_workers_than_the_cap_keeps_to_it_and_leaves_nothing_lying() {
    let (stage, mut listening) = (Stage::new().await, JoinSet::new());
    stage.receiver.behave_by_default(Behaviour::delay(Duration::from_millis(15)));
    stage.endpoint_with_cap("/one", 1).await;
    stage.endpoint_with_cap("/two", 2).await;
    let mut workers = stage.fleet(3, &mut listening).await;
    let begun = Instant::now();
    for round in 0..9 {
        stage.publish("acme", &format!("r{round}-"), 10).await;
        workers[round % 3].fan_out.drain().await.unwrap();
    }
    stage.becomes(DELIVERED, 180).await;
    // 90 one after the other take 1.4 s; nobody waits for the walk that comes every 5 s.
    assert!(begun.elapsed() < Duration::from_millis(4500), "{:?}", begun.elapsed());
    for (path, cap) in [("/one", 1), ("/two", 2)] {
        assert_eq!(stage.most_open_at(path, Duration::from_millis(14)), cap, "{path}");
    }
    let tried_twice =
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE attempts <> 1";
    assert_eq!(stage.count(tried_twice).await, 0);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_the_fleet_another_takes_its_part() {
    let (stage, mut listening) = (Stage::new().await, JoinSet::new());
    for path in ["/a", "/b", "/c"] {
        stage.endpoint_with_cap(path, 1).await;
    }
    let mut workers = stage.fleet(3, &mut listening).await;
    let mut delivered = 0;
    for left in (0..3).rev() {
        stage.publish("acme", &format!("l{left}-"), 20).await;
        workers[0].fan_out.drain().await.unwrap();
        delivered += 60;
        stage.becomes(DELIVERED, delivered).await;
        let worker = workers.pop().expect("one is left");
        worker.stop().await;
        let leave = "DELETE FROM postrider.webhook_workers WHERE incarnation = $1";
        stage.client.execute(leave, &[&i64::from(left + 1)]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_joins_sends_nothing_before_it_knows_the_others() {
    let stage = Stage::new().await;
    let slow = Duration::from_millis(300);
    stage.receiver.behave_by_default(Behaviour::delay(slow));
    stage.endpoint_with_cap("/in", 4).await;
    let enter = "INSERT INTO postrider.webhook_workers (incarnation, name, pid, version, roles, liveness, wakeup) \
                 OVERRIDING SYSTEM VALUE SELECT n, 'w' || n, 1, '0', '{delivery}', 'heartbeat', 'listen' FROM generate_series(1, 2) n";
    stage.client.execute(enter, &[]).await.unwrap();
    let other = stage.another_client().await;
    other.batch_execute("BEGIN; LOCK TABLE postrider.webhook_workers").await.unwrap();
    let mut worker = stage.worker(Knobs { owner: 2, ..Knobs::default() }).await;
    stage.publish("acme", "m", 12).await;
    worker.fan_out.drain().await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stage.receiver.count(), 0);
    other.batch_execute("ROLLBACK").await.unwrap();
    stage.becomes(DELIVERED, 12).await;
    assert_eq!(stage.most_open_at("/in", slow - Duration::from_millis(5)), 2, "half of the cap");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fleet_is_told_of_a_worker_that_joins() {
    let stage = Stage::new().await;
    let control = stage.control().await;
    let worker = NewWorker {
        incarnation: 7,
        name: "seven",
        version: "0",
        roles: &["delivery"],
        liveness: Liveness::Lock,
        wakeup: "listen",
    };
    register(&stage.pool, &worker).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), control.endpoints_knocked()).await;
    assert!(told.is_ok());
}
