//! `run`: it drains and ends, stops when told to, and works without any database of one's own.

use std::time::Duration;

use postrider_testkit::{Receiver, TestDb};

use crate::support::{Cli, finished, terminate};

#[tokio::test]
async fn run_once_delivers_what_is_there_and_ends() {
    let db = TestDb::new().await;
    let receiver = Receiver::start().await;
    let cli = Cli::at(&db);
    cli.run(&["endpoints", "add", &receiver.url("/h"), "--dev", "--types", "order.*"])
        .await
        .exits(0);
    for order in 1..=5 {
        cli.run(&["events", "publish", "order.paid", "--key", &order.to_string()]).await.exits(0);
    }
    cli.run(&["events", "publish", "email.sent"]).await.exits(0);
    cli.run(&["run", "--once", "--dev", "--admin-listen", "off"]).await.exits(0).says("--dev");
    assert_eq!(receiver.received_at("/h").len(), 5);
    let status = cli.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!(
        (&status["events"]["pending"], &status["deliveries"]["open"]),
        (&0.into(), &0.into())
    );
    assert_eq!(status["workers"], serde_json::json!([]), "it left the fleet");
    let delivered =
        cli.run(&["deliveries", "list", "--status", "delivered", "--json"]).await.json();
    assert_eq!(delivered["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn run_once_does_not_wait_for_an_event_that_was_put_off() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    cli.run(&["events", "publish", "order.paid"]).await.exits(0);
    db.execute("UPDATE postrider.webhook_events_pending SET next_attempt_at = clock_timestamp() + interval '1 hour'").await;
    cli.run(&["run", "--once", "--dev", "--admin-listen", "off"]).await.exits(0);
}

#[tokio::test]
async fn without_dev_nothing_is_sent_to_this_machine() {
    let db = TestDb::new().await;
    let receiver = Receiver::start().await;
    let cli = Cli::at(&db);
    cli.run(&["endpoints", "add", &receiver.url("/h"), "--dev"]).await.exits(0);
    cli.run(&["events", "publish", "order.paid"]).await.exits(0);
    cli.run(&["run", "--once", "--admin-listen", "off"]).await.exits(0);
    assert_eq!(receiver.received().len(), 0);
    let rejected = cli.run(&["deliveries", "list", "--status", "rejected", "--json"]).await.json();
    assert_eq!(rejected["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn run_works_without_a_database_of_ones_own() {
    let cli = Cli::new();
    let data = cli.folder.path().join("data").display().to_string();
    let cli = cli.with("POSTRIDER_DATA_DIR", &data);
    let args = ["run", "--dev", "--admin-listen", "off"];
    let daemon = cli.start(&args);
    let receiver = Receiver::start().await;
    // Joins the server that the daemon starts, or starts it: whichever comes first.
    cli.run(&["endpoints", "add", &receiver.url("/h"), "--dev"]).await.exits(0);
    cli.run(&["events", "publish", "order.paid", "--id", "kept"]).await.exits(0);
    assert_eq!(receiver.wait_for(1, Duration::from_secs(30)).await.len(), 1);
    terminate(&daemon);
    finished(daemon, &args).await.exits(0);

    use std::os::unix::fs::PermissionsExt as _;
    let key = std::fs::metadata(format!("{data}/master.key")).expect("it made a key");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    // What was there is there after a restart.
    cli.run(&["events", "show", "kept"]).await.exits(0);
    assert!(cli.run(&["status"]).await.exits(0).out.contains("embedded in"));
}

/// Backends that are stopped as by a debugger; they go on when the test ends, however that is.
struct Frozen(Vec<String>);

impl Frozen {
    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").arg(signal).args(&self.0).status();
        assert!(sent.expect("kill can be started").success());
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[tokio::test]
async fn a_second_signal_ends_a_worker_whose_database_does_not_answer() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let cli = Cli::at(&db);
    let args = ["run", "--dev", "--admin-listen", "off"];
    let daemon = cli.start(&args);
    let asleep = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1886352244 AND mode = 'ExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while client.query_one(asleep, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let backends = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let frozen = client.query(backends, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    let frozen = Frozen(frozen);
    frozen.signal("-STOP");
    terminate(&daemon);
    tokio::time::sleep(Duration::from_millis(300)).await;
    terminate(&daemon);
    let ended = tokio::time::timeout(Duration::from_secs(15), finished(daemon, &args)).await;
    ended.expect("the hard stop does not wait for the database").says("does not answer");
}
