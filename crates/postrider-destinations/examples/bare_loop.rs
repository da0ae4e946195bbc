//! How fast the client alone is: so many requests in flight over keep-alive connections, nothing else.
//!
//!     cargo run --release -p postrider-destinations --example bare_loop -- [in flight] [requests] [runtime threads]
//!
//! The receiver is a bare hyper server on a thread of its own, in the same process. Each request is built and signed as
//! the product does it, with a body of 600 bytes. Prints one line.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use postrider_core::address::AddressPolicy;
use postrider_core::headers::CustomHeaders;
use postrider_core::signing::{Secret, Signer};
use postrider_core::url::{EndpointUrl, UrlPolicy};
use postrider_destinations::{
    Capture, Client, ClientConfig, EndpointTarget, Webhook, webhook_request,
};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

fn main() {
    let mut arguments =
        std::env::args().skip(1).map(|argument| argument.parse::<u64>().expect("a number"));
    let in_flight = arguments.next().unwrap_or(32);
    let requests = arguments.next().unwrap_or(200_000);
    let threads = arguments.next().unwrap_or(1);

    let receiver = start_receiver();
    let runtime = match threads {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads as usize).enable_all().build(),
    };
    let elapsed = runtime.expect("a runtime").block_on(run(receiver, in_flight, requests));
    let rate = requests as f64 / elapsed.as_secs_f64();
    println!(
        "{rate:.0} requests/s ({requests} requests, {in_flight} in flight, {threads} runtime threads)"
    );
}

async fn run(receiver: SocketAddr, in_flight: u64, requests: u64) -> Duration {
    let addresses = AddressPolicy::with_loopback();
    let policy = UrlPolicy { allow_http: true, addresses: &addresses };
    let url = EndpointUrl::parse(&format!("http://{receiver}/hook"), policy).expect("a valid URL");
    let sender = Arc::new(Sender {
        target: EndpointTarget::new(&url, &CustomHeaders::default(), Capture::Failures)
            .expect("a usable URL"),
        client: Client::new(ClientConfig { addresses, ..ClientConfig::default() })
            .expect("a client"),
        signer: Signer::new(&[Secret::generate(&[7; 32])]),
        body: Bytes::from(vec![b'x'; 600]),
        next: AtomicU64::new(0),
        requests,
    });
    let started = Instant::now();
    let mut loops = JoinSet::new();
    for _ in 0..in_flight {
        let sender = Arc::clone(&sender);
        loops.spawn(async move { sender.run().await });
    }
    loops.join_all().await;
    started.elapsed()
}

/// What the loops share.
struct Sender {
    target: EndpointTarget,
    client: Client,
    signer: Signer,
    body: Bytes,
    next: AtomicU64,
    requests: u64,
}

impl Sender {
    async fn run(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.requests {
                return;
            }
            let event_id = format!("evt_{number:032x}");
            let webhook = Webhook {
                event_id: &event_id,
                timestamp: 1_700_000_000,
                attempt: 1,
                traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                envelope: self.body.clone(),
            };
            let request =
                webhook_request(&self.target, &self.signer, webhook).expect("a valid event id");
            let answer = self.client.send(request, ATTEMPT_TIMEOUT).await;
            assert!(answer.is_success(), "{answer:?}");
        }
    }
}

fn start_receiver() -> SocketAddr {
    let (tell, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                socket.set_nodelay(true).expect("a live socket");
                connections.spawn(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service_fn(accept)),
                );
            }
        });
    });
    address.recv().expect("the receiver starts")
}

async fn accept(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    Ok(Response::new(Empty::new()))
}
