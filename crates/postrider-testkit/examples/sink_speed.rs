//! How fast the receiver alone is: a client that costs next to nothing, so many keep-alive connections, a request at a
//! time on each.
//!
//!     cargo run --release -p postrider-testkit --example sink_speed -- [counting|recording] [connections] [requests]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use postrider_testkit::Receiver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "counting".to_owned());
    let mut number =
        |default| arguments.next().map_or(default, |a| a.parse::<u64>().expect("a number"));
    let (connections, requests) = (number(32), number(500_000));
    let receiver = match mode.as_str() {
        "recording" => Receiver::start().await,
        _ => Receiver::counting().await,
    };
    let begun = Instant::now();
    let left = Arc::new(AtomicU64::new(requests));
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(post(receiver.address(), Arc::clone(&left)));
    }
    clients.join_all().await;
    let rate = receiver.count() as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{rate:.0} requests/s ({mode}, {} requests, {connections} connections)",
        receiver.count()
    );
    if let Some(cpu) = cpu_seconds_of_receiver() {
        let each = cpu * 1e6 / receiver.count() as f64;
        println!("{each:.2} µs of processor time a request in the receiver");
    }
}

/// The processor time of the receiver's thread, where the system tells: it says more than the rate on a busy machine.
fn cpu_seconds_of_receiver() -> Option<f64> {
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let task = task.ok()?.path();
        if std::fs::read_to_string(task.join("comm")).ok()?.trim() == "receiver" {
            let spent = std::fs::read_to_string(task.join("schedstat")).ok()?;
            return spent.split(' ').next()?.parse().map(|ns: f64| ns / 1e9).ok();
        }
    }
    None
}

/// Sends the same request again and again, and reads each answer up to the empty line that ends it.
async fn post(address: SocketAddr, left: Arc<AtomicU64>) {
    let mut stream = TcpStream::connect(address).await.expect("the receiver listens");
    stream.set_nodelay(true).expect("a live socket");
    let head = "POST /hook HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nuser-agent: postrider/0.1.0\r\n\
                webhook-id: evt_0123456789abcdef0123456789abcdef\r\nwebhook-timestamp: 1700000000\r\nwebhook-attempt: 1\r\n\
                webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=\r\ncontent-length: 600\r\n\r\n";
    let request = [head.as_bytes(), &[b'x'; 600]].concat();
    let mut answer = [0; 1024];
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
        stream.write_all(&request).await.expect("the receiver reads");
        let mut read = 0;
        while !answer[..read].ends_with(b"\r\n\r\n") {
            match stream.read(&mut answer[read..]).await {
                Ok(n) if n > 0 => read += n,
                ended => panic!("the receiver hung up: {ended:?}"),
            }
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer[..read])
        );
    }
}
