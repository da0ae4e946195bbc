//! A local receiver: takes webhooks, verifies their signatures, and fails on purpose.
//!
//! Speaks HTTP/1.1 and HTTP/2 on loopback. Every request becomes an [`Arrival`] on a channel; who reads it prints or counts.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use postrider_core::signing::{Secret, verify};
use postrider_event::Envelope;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::commands::sign::now;

/// The largest body that is read: the largest payload, and its envelope.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// What receivers tolerate by the specification.
const TOLERANCE: Duration = Duration::from_secs(300);
/// How many arrivals may wait to be read; then requests wait.
const BACKLOG: usize = 256;

/// How a sink behaves.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// What to verify with; none: nothing is verified.
    pub secrets: Vec<Secret>,
    /// The only path that is answered; none: every one.
    pub path: Option<String>,
    /// So many requests fail first, with `status`. `None`: all are answered with `status`.
    pub fail_first: Option<u64>,
    /// The answer of requests that fail, or of all.
    pub status: StatusCode,
    /// How long to wait before an answer.
    pub delay: Duration,
    /// Whether requests that should fail are never answered instead.
    pub hang: bool,
}

/// Whether a request proved where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signature {
    Verified,
    /// There was nothing to verify with.
    Unchecked,
    /// It did not, for this reason.
    Refused(String),
}

/// One request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// When it was there whole.
    pub at: Instant,
    /// The headers as they came; empty where one is missing.
    pub event_id: String,
    pub attempt: String,
    pub timestamp: String,
    pub signatures: String,
    /// The type that the body names; none if it is no envelope.
    pub event_type: Option<String>,
    pub path: String,
    pub bytes: usize,
    pub signature: Signature,
    /// The answer; `None` where there is none on purpose.
    pub answer: Option<StatusCode>,
}

/// A running sink. Dropped, it stops and closes its connections.
pub(crate) struct Sink {
    address: SocketAddr,
    arrivals: mpsc::Receiver<Arrival>,
    _tasks: JoinSet<()>,
}

struct Shared {
    behaviour: Behaviour,
    seen: AtomicU64,
    arrivals: mpsc::Sender<Arrival>,
}

impl Sink {
    /// Listens on this port of the loopback address; 0 takes a free one.
    pub(crate) async fn start(port: u16, behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (sender, arrivals) = mpsc::channel(BACKLOG);
        let shared = Arc::new(Shared { behaviour, seen: AtomicU64::new(0), arrivals: sender });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, shared));
        Ok(Self { address, arrivals, _tasks: tasks })
    }

    /// The URL of a path here.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request, if one waits to be read.
    pub(crate) fn try_arrival(&mut self) -> Option<Arrival> {
        self.arrivals.try_recv().ok()
    }

    /// The next request; waits for it.
    pub(crate) async fn arrival(&mut self) -> Arrival {
        // The accepting task holds a sender for as long as this sink lives.
        match self.arrivals.recv().await {
            Some(arrival) => arrival,
            None => std::future::pending().await,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, most likely: connections that end make room.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Answers are small and wait for nobody.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let connection = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = connection {
        tracing::debug!(%error, "a connection to the sink ended");
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let behaviour = &shared.behaviour;
    if head.method != Method::POST {
        return Ok(plain(StatusCode::METHOD_NOT_ALLOWED));
    }
    if behaviour.path.as_deref().is_some_and(|path| path != head.uri.path()) {
        return Ok(plain(StatusCode::NOT_FOUND));
    }
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let body = body.to_bytes();
    let mut arrival = read(&head.headers, head.uri.path(), &body, &behaviour.secrets);
    let number = shared.seen.fetch_add(1, Ordering::Relaxed);
    let fails = behaviour.fail_first.is_some_and(|first| number < first);
    arrival.answer = match &arrival.signature {
        Signature::Refused(_) => Some(StatusCode::UNAUTHORIZED),
        _ if behaviour.hang && (fails || behaviour.fail_first.is_none()) => None,
        _ if fails || behaviour.fail_first.is_none() => Some(behaviour.status),
        _ => Some(StatusCode::NO_CONTENT),
    };
    tokio::time::sleep(behaviour.delay).await;
    let status = arrival.answer;
    // Nobody reads any more: the process is about to end.
    drop(shared.arrivals.send(arrival).await);
    match status {
        Some(status) => Ok(plain(status)),
        None => std::future::pending().await,
    }
}

fn read(headers: &HeaderMap, path: &str, body: &[u8], secrets: &[Secret]) -> Arrival {
    let text = |name: &str| {
        let value =
            headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        value.unwrap_or_default()
    };
    let (event_id, timestamp, signatures) =
        (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"));
    let signature = if secrets.is_empty() {
        Signature::Unchecked
    } else {
        match verify(secrets, &event_id, &timestamp, &signatures, body, now(), TOLERANCE) {
            Ok(()) => Signature::Verified,
            Err(error) => Signature::Refused(error.to_string()),
        }
    };
    Arrival {
        at: Instant::now(),
        attempt: text("webhook-attempt"),
        event_type: Envelope::parse(body).ok().map(|envelope| envelope.event),
        path: path.to_owned(),
        bytes: body.len(),
        event_id,
        timestamp,
        signatures,
        signature,
        answer: None,
    }
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}
