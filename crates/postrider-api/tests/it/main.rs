//! The admin listener over real sockets, with a real database behind it.

mod rest;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use postrider_api::{Readiness, serve};
use postrider_runtime::{Metrics, Stop, Tasks};
use postrider_store::{Connect, Db, Mode};
use postrider_testkit::TestDb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(10);

/// A listener, and what stands behind it. `stop` is the worker's, `end` the listener's own.
struct Stage {
    address: SocketAddr,
    readiness: Readiness,
    metrics: Metrics,
    tasks: Tasks,
    stop: Stop,
    end: Stop,
}

impl Stage {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, end, metrics) = (Stop::new(), Stop::new(), Metrics::new());
        let readiness = Readiness::new(stop.clone());
        let mut tasks = Tasks::new(Stop::new());
        tasks.spawn("listener", serve(listener, readiness.clone(), metrics.clone(), end.clone()));
        Self { address, readiness, metrics, tasks, stop, end }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
            .await
    }

    async fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("sends");
        answer(&mut stream).await
    }
}

async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut text = String::new();
    timeout(LONG, stream.read_to_string(&mut text))
        .await
        .expect("the connection ends")
        .expect("reads");
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    (status, text)
}

fn pool(url: &str, size: usize) -> Db {
    let connect =
        Connect::parse(url, "postrider-api-test", None).expect("the URL of a test is good");
    Db::new(&connect, Mode::Direct, size).expect("a pool")
}

/// Stages of a worker: one that runs until it is stopped.
fn stages(stop: &Stop) -> Tasks {
    let mut tasks = Tasks::new(stop.clone());
    let until = stop.clone();
    tasks.spawn("fanout", async move {
        until.soft().await;
        Ok::<(), Infallible>(())
    });
    tasks
}

/// Asks until the answer is this one; a report is given out again while it is fresh.
async fn becomes(stage: &Stage, status: u16, text: &str) {
    let mut last = String::new();
    let start = Instant::now();
    while start.elapsed() < LONG {
        let (got, body) = stage.get("/readyz").await;
        if got == status && body.contains(text) {
            return;
        }
        last = body;
    }
    panic!("no {status} with {text:?}, at last {last}");
}

#[tokio::test]
async fn healthz_needs_nothing_but_the_process() {
    let stage = Stage::set().await;
    let (status, body) = stage.get("/healthz").await;
    assert_eq!(status, 200);
    assert!(body.ends_with("{\"status\":\"alive\"}\n"), "{body}");
}

#[tokio::test]
async fn metrics_are_open_metrics_text() {
    let stage = Stage::set().await;
    stage.metrics.events_claimed.inc_by(42);
    let (status, body) = stage.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("application/openmetrics-text"), "{body}");
    assert!(
        body.contains("postrider_events_claimed_total 42\n") && body.ends_with("# EOF\n"),
        "{body}"
    );
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let stage = Stage::set().await;
    assert_eq!(stage.get("/").await.0, 404);
    assert_eq!(stage.get("/metrics/").await.0, 404);
    let (status, body) =
        stage.ask("POST /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}").await;
    assert_eq!(status, 405);
    assert!(body.to_lowercase().contains("allow: get, head"), "{body}");
    let (status, body) =
        stage.ask("HEAD /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status, 200);
    assert!(body.ends_with("\r\n\r\n"), "a HEAD has no body: {body}");
}

#[tokio::test]
async fn a_request_with_too_large_a_head_is_refused() {
    let stage = Stage::set().await;
    let request =
        format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(32 * 1024));
    assert_eq!(stage.ask(&request).await.0, 431);
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    assert_eq!(
        stage.ask(&format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{many}\r\n")).await.0,
        431
    );
}

#[tokio::test]
async fn readyz_follows_the_worker_up_and_down() {
    let stage = Stage::set().await;
    becomes(&stage, 503, "starting").await;
    let test = TestDb::new().await;
    let worker = stages(&stage.stop);
    stage.readiness.up(pool(test.url(), 2), worker.health());
    becomes(&stage, 200, "\"status\":\"ready\"").await;
    becomes(&stage, 200, "running: fanout").await;
    stage.readiness.down("the control session was lost");
    becomes(&stage, 503, "the control session was lost").await;
}

#[tokio::test]
async fn readyz_says_503_when_the_database_goes_away() {
    let stage = Stage::set().await;
    let test = TestDb::new().await;
    let worker = stages(&stage.stop);
    stage.readiness.up(pool(test.url(), 2), worker.health());
    becomes(&stage, 200, "\"status\":\"ready\"").await;

    let (elsewhere, connection) = test
        .config()
        .dbname("postgres")
        .connect(tokio_postgres::NoTls)
        .await
        .expect("connects elsewhere");
    let drop_it = format!("DROP DATABASE {} WITH (FORCE)", test.name());
    tokio::select! {
        dropped = elsewhere.batch_execute(&drop_it) => dropped.expect("drops"),
        _ = connection => panic!("the other session ended"),
    }
    becomes(&stage, 503, "\"status\":\"unready\"").await;
    assert_eq!(stage.get("/healthz").await.0, 200, "the process lives all the same");
}

#[tokio::test]
async fn readyz_waits_no_longer_than_a_second_for_a_connection() {
    let stage = Stage::set().await;
    let test = TestDb::new().await;
    let db = pool(test.url(), 1);
    let busy = db.session().await.expect("the only connection");
    let worker = stages(&stage.stop);
    stage.readiness.up(db, worker.health());
    let (status, body) =
        timeout(Duration::from_secs(3), stage.get("/readyz")).await.expect("an answer in time");
    assert_eq!(status, 503);
    assert!(body.contains("no answer within 1s"), "{body}");
    drop(busy);
    becomes(&stage, 200, "\"status\":\"ready\"").await;
}

#[tokio::test]
async fn readyz_knows_a_schema_that_does_not_fit() {
    let stage = Stage::set().await;
    let (empty, newer) = (TestDb::empty().await, TestDb::new().await);
    let worker = stages(&stage.stop);
    stage.readiness.up(pool(empty.url(), 2), worker.health());
    becomes(&stage, 503, "none, this binary needs version").await;
    newer.execute("INSERT INTO postrider.schema_history VALUES (9999, 'to_come', '', '')").await;
    stage.readiness.up(pool(newer.url(), 2), worker.health());
    becomes(&stage, 503, "version 9999, this binary needs").await;
}

#[tokio::test]
async fn readyz_fails_when_a_stage_was_lost() {
    let stage = Stage::set().await;
    let test = TestDb::new().await;
    let mut worker = Tasks::new(Stop::new());
    worker.spawn("delivery", std::future::pending::<Result<(), Infallible>>());
    worker.spawn("recorder", async { Err::<(), _>("a test") });
    stage.readiness.up(pool(test.url(), 2), worker.health());
    becomes(&stage, 503, "ended: recorder").await;
}

#[tokio::test]
async fn while_the_worker_stops_readyz_says_that_it_drains() {
    let mut stage = Stage::set().await;
    stage.stop.request_soft();
    becomes(&stage, 503, "\"status\":\"draining\"").await;
    assert_eq!(stage.get("/metrics").await.0, 200, "the last figures can still be read");

    stage.end.request_soft();
    let ended =
        timeout(LONG, stage.tasks.join_next()).await.expect("the listener ends").expect("it ran");
    assert_eq!(ended.name, "listener");
    assert!(TcpStream::connect(stage.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let mut stage = Stage::set().await;
    let mut idle = TcpStream::connect(stage.address).await.expect("connects");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sends");
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    stage.end.request_soft();
    timeout(LONG, stage.tasks.join_next()).await.expect("the listener ends").expect("it ran");
}
