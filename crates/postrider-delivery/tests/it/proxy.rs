//! The egress proxy fails: that is our trouble, so deliveries wait for it and their endpoints are not blamed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postrider_core::health::HealthPolicy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::stage::{Knobs, Stage, Worker};

const UNTRIED: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE attempts = 0";
const BLAMED: &str = "SELECT (SELECT count(*) FROM postrider.webhook_endpoint_health) + (SELECT count(*) FROM postrider.webhook_attempts)";

/// Answers `CONNECT` with 407 until it lets everybody through.
async fn serve(listener: TcpListener, lets_through: Arc<AtomicBool>) {
    let mut conversations = JoinSet::new();
    while let Ok((mut socket, _)) = listener.accept().await {
        let lets_through = Arc::clone(&lets_through);
        conversations.spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await?);
            }
            if !lets_through.load(Ordering::Relaxed) {
                return socket.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").await;
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let mut target = TcpStream::connect(text.split(' ').nth(1).unwrap_or_default()).await?;
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            copy_bidirectional(&mut socket, &mut target).await.map(drop)
        });
    }
}

/// Waits until the proxy has failed so often, and asserts that nothing came of it.
async fn fails(stage: &Stage, worker: &Worker, times: u64, owed: i64) {
    while worker.metrics.proxy_failures.get() < times {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.count(UNTRIED).await, owed, "none has burnt an attempt");
    assert_eq!(stage.count(BLAMED).await, 0, "nothing is held against the endpoint");
    let failures = worker.metrics.proxy_failures.get();
    assert!(failures <= times + 20, "the lane waits instead of trying all it has: {failures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_proxy_fails_deliveries_wait_and_neither_attempts_nor_circuits_count() {
    let stage = Stage::new().await;
    stage.endpoint("acme", "/in").await;
    let (gone, through) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(AtomicBool::new(false)));
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let health = HealthPolicy { open_after: 1, ..HealthPolicy::default() };
    let knobs = Knobs { proxy: Some(port), health, ..Knobs::default() };
    let mut worker = stage.worker(knobs).await;
    stage.publish("acme", "m", 200).await;
    worker.fan_out.drain().await.unwrap();
    // Nobody is there.
    fails(&stage, &worker, 1, 200).await;
    // Somebody is, and knows nothing of us.
    let mut proxy = JoinSet::new();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    proxy.spawn(serve(listener, Arc::clone(&through)));
    let before = worker.metrics.proxy_failures.get();
    fails(&stage, &worker, before + 1, 200).await;
    assert_eq!(stage.receiver.count(), 0);

    through.store(true, Ordering::Relaxed);
    let first = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered' AND attempts = 1";
    stage.becomes(first, 200).await;
    assert_eq!(stage.receiver.count(), 200);
    assert_eq!(stage.count(BLAMED).await, 0);
    worker.stop().await;
}
