//! A transaction pooler between a worker and its database: what cannot work there is not used, and everything else works.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use postrider::{Event, EventType, Outbox};
use postrider_testkit::{Receiver, TestDb};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, NoTls};

use crate::support::{Cli, finished, terminate};

const PATIENCE: Duration = Duration::from_secs(30);
const RUN: [&str; 4] = ["run", "--dev", "--admin-listen", "off"];
/// Connections to the server, all opened ahead and used in turn: no two transactions of a client meet the same session.
const SERVER_CONNECTIONS: usize = 4;
/// A worker's or a command's marks on a session, which the next client of the pooler must not find.
const MARKS: &str = "SELECT current_setting('search_path') || ' ' || current_setting('enable_seqscan') || ' ' || current_setting('statement_timeout')
    || ' ' || current_setting('plan_cache_mode') || ' ' || current_setting('lock_timeout') || ' ' || current_setting('synchronous_commit')";
const LOCKS: &str = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() WHERE l.locktype = 'advisory'";

/// A PgBouncer in transaction mode before one database.
struct Pooler {
    url: String,
    _folder: TempDir,
    _process: Child,
}

impl Pooler {
    /// `None`, said aloud: there is no PgBouncer on this machine.
    async fn before(db: &TestDb) -> Option<Self> {
        let Some(binary) = binary() else {
            eprintln!("SKIPPED: there is no pgbouncer here; .ci/pgbouncer install");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration(db, port)).unwrap();
        let mut command = Command::new(binary);
        command.arg("-q");
        if rustix::process::geteuid().is_root() {
            command.args(["-u", account()]);
        }
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.kill_on_drop(true).spawn().unwrap();
        let url = format!("postgres://postrider@127.0.0.1:{port}/{}?sslmode=disable", db.name());
        for _ in 0..200 {
            if url.parse::<tokio_postgres::Config>().unwrap().connect(NoTls).await.is_ok() {
                return Some(Self { url, _folder: folder, _process: process });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("pgbouncer lets nobody in");
    }

    /// A client of the pooler that is none of ours.
    async fn stranger(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
        tokio::spawn(connection);
        client
    }

    /// What strangers find in the sessions of the pooler, all of them at once.
    async fn marks(&self) -> BTreeSet<String> {
        let mut strangers = Vec::new();
        for _ in 0..SERVER_CONNECTIONS {
            let stranger = self.stranger().await;
            stranger.batch_execute("BEGIN").await.unwrap();
            strangers.push(stranger);
        }
        let mut marks = BTreeSet::new();
        for stranger in &strangers {
            let found = stranger.simple_query(MARKS).await.unwrap();
            for message in found {
                if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                    marks.insert(row.get(0).unwrap().to_owned());
                }
            }
            stranger.batch_execute("ROLLBACK").await.unwrap();
        }
        marks
    }
}

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path);
    let folders =
        folders.chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from));
    folders.map(|folder| folder.join("pgbouncer")).find(|file| file.is_file())
}

/// PgBouncer refuses to run as root; the account of the tests' server may enter the folder of its socket.
fn account() -> &'static str {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if accounts.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

fn configuration(db: &TestDb, port: u16) -> String {
    let server = db.config();
    let host = match server.get_hosts().first() {
        Some(Host::Unix(folder)) => folder.display().to_string(),
        Some(Host::Tcp(name)) => name.clone(),
        None => "127.0.0.1".to_owned(),
    };
    let name = db.name();
    let user = server.get_user().unwrap_or("postgres");
    let mut target = format!("host={host} dbname={name} user={user}");
    if let Some(port) = server.get_ports().first() {
        target += &format!(" port={port}");
    }
    if let Some(password) = server.get_password() {
        target += &format!(" password='{}'", String::from_utf8_lossy(password));
    }
    format!(
        "[databases]\n{name} = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = any\npool_mode = transaction\nserver_round_robin = 1\n\
         default_pool_size = {SERVER_CONNECTIONS}\nmin_pool_size = {SERVER_CONNECTIONS}\n"
    )
}

fn event(id: &str) -> Event {
    Event::new(EventType::parse("order.paid").unwrap(), "default").id(id).data_text("{}")
}

/// Publishes in transactions of its own through the pooler, as a service behind one would.
async fn publish(client: &mut Client, ids: impl Iterator<Item = String>) {
    let outbox = Outbox::new().unnamed_statements();
    for id in ids {
        let tx = client.transaction().await.unwrap();
        assert!(outbox.publish_tx(&tx, &event(&id)).await.unwrap().is_inserted());
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn through_a_transaction_pooler_a_worker_polls_and_everything_arrives() {
    let db = TestDb::new().await;
    let Some(pooler) = Pooler::before(&db).await else { return };
    let untouched = pooler.marks().await;
    let receiver = Receiver::start().await;
    receiver.behave("/flaky", postrider_testkit::Behaviour::statuses([500, 200]));
    let cli = Cli::at(&db).with("POSTRIDER_DATABASE_URL", &pooler.url);
    cli.run(&["endpoints", "add", &receiver.url("/h"), "--dev"]).await.exits(0);
    cli.run(&["endpoints", "add", &receiver.url("/flaky"), "--dev", "--retry-schedule", "1s"])
        .await
        .exits(0);
    let daemon = cli.start(&RUN);
    publish(&mut pooler.stranger().await, (0..20).map(|number| format!("e{number}"))).await;
    cli.run(&["events", "publish", "order.paid"]).await.exits(0);
    // The first attempt at the flaky one fails, and is made again a second later.
    receiver.wait_for(43, PATIENCE).await;
    assert_eq!(receiver.received_at("/h").len(), 21);

    let status = cli.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!(status["workers"][0]["wakeup"], "poll", "{status}");
    assert_eq!(status["workers"].as_array().unwrap().len(), 1);
    let delivered =
        cli.run(&["deliveries", "list", "--json", "--limit", "100"]).await.exits(0).json();
    assert!(delivered["data"].as_array().unwrap().len() >= 40, "{delivered}");
    let locks: i64 = db.client().await.query_one(LOCKS, &[]).await.unwrap().get(0);
    assert_eq!(locks, 0, "nobody took a lock that would stay with a stranger");

    terminate(&daemon);
    let ran = finished(daemon, &RUN).await.exits(0).says("poll only");
    assert!(!ran.err.contains("prepared statement"), "{}", ran.err);
    assert!(!ran.err.contains("\"ERROR\""), "{}", ran.err);
    assert_eq!(pooler.marks().await, untouched, "strangers find their sessions as they left them");
}

#[tokio::test]
async fn with_a_direct_url_besides_the_pooler_a_worker_listens() {
    let db = TestDb::new().await;
    let Some(pooler) = Pooler::before(&db).await else { return };
    let untouched = pooler.marks().await;
    let receiver = Receiver::start().await;
    let cli = Cli::at(&db)
        .with("POSTRIDER_DATABASE_URL", &pooler.url)
        .with("POSTRIDER_DATABASE_DIRECT_URL", db.url())
        .with("POSTRIDER_WORKER_FALLBACK_POLL", "1h");
    cli.run(&["endpoints", "add", &receiver.url("/h"), "--dev"]).await.exits(0);
    let daemon = cli.start(&RUN);
    let mut client = pooler.stranger().await;
    for round in 1..=3 {
        // With the poll at an hour only a knock can wake it.
        publish(&mut client, (0..3).map(|number| format!("e{round}_{number}"))).await;
        receiver.wait_for(round * 3, PATIENCE).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let status = cli.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!(status["workers"][0]["wakeup"], "listen", "{status}");
    terminate(&daemon);
    let ran = finished(daemon, &RUN).await.exits(0).says("LISTEN");
    assert!(!ran.err.contains("poll only") && !ran.err.contains("\"ERROR\""), "{}", ran.err);
    assert_eq!(pooler.marks().await, untouched);
}
