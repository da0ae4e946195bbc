//! The listeners: HTTP/1.1, bounded in connections, header size and time, so that no client can hold it up.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use postrider_runtime::{Metrics, Pacer, Stop};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::Readiness;
use crate::routes::Routes;

const MOST_CONNECTIONS: usize = 64;
const HEAD_BYTES: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// For the whole head of a request, and for the next one to begin on an idle connection.
    pub(crate) head: Duration,
    /// For a connection in all: a client that reads nothing holds its place no longer.
    pub(crate) connection: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { head: Duration::from_secs(20), connection: Duration::from_secs(120) }
    }
}

/// Answers health, readiness and metrics on `listener` until `stop` is requested: softly, requests in hand are answered first.
///
/// Give it a stop of its own, requested after the worker has stopped: until then `/readyz` says that it drains.
///
/// # Errors
/// When the listener itself fails. Trouble with one connection is that connection's.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    stop: Stop,
) -> io::Result<()> {
    let routes = Routes { readiness, metrics };
    listen(listener, Times::default(), MOST_CONNECTIONS, stop, |_| answering(&routes)).await
}

/// What answers the requests of one connection.
fn answering(
    routes: &Routes,
) -> impl Fn(Request<Incoming>) -> Answering + Clone + Send + 'static + use<> {
    let routes = routes.clone();
    move |request: Request<Incoming>| {
        let routes = routes.clone();
        Box::pin(async move { Ok(routes.answer(request.method(), request.uri().path()).await) })
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

/// Answers on `listener`, by what `service_for` makes for each connection, until `stop` is requested.
///
/// # Errors
/// When the listener itself fails. Trouble with one connection is that connection's.
pub(crate) async fn listen<F, S, A, B>(
    listener: TcpListener,
    times: Times,
    most_connections: usize,
    stop: Stop,
    service_for: F,
) -> io::Result<()>
where
    F: Fn(SocketAddr) -> S,
    S: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    listener.local_addr()?;
    let places = Arc::new(Semaphore::new(most_connections));
    let mut pacer = Pacer::new(Duration::from_millis(10), Duration::from_secs(1));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
            () = stop.soft() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.soft() => break,
        };
        match accepted {
            Ok((stream, address)) => {
                pacer.reset();
                // What is said now is sent now: an event of a stream waits for no acknowledgement.
                let _ = stream.set_nodelay(true);
                let (service, stop) = (service_for(address), stop.clone());
                connections.spawn(async move {
                    connection(stream, times, service, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, or a client that left: it passes.
                warn!(%error, "a listener could not accept a connection");
                stop.soft_within(pacer.next()).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = stop.hard() => {}
    }
    Ok(())
}

async fn connection<S, A, B>(stream: TcpStream, times: Times, service: S, stop: Stop)
where
    S: Fn(Request<Incoming>) -> A + Clone,
    A: Future<Output = Result<Response<B>, Infallible>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(times.head)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service_fn(service));
    let mut serving = pin!(serving);
    let ended = tokio::time::timeout(times.connection, async {
        tokio::select! {
            ended = serving.as_mut() => return ended,
            () = stop.soft() => serving.as_mut().graceful_shutdown(),
        }
        serving.await
    });
    match ended.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection ended badly"),
        Err(_) => debug!("a connection was closed: its time is up"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What a client gets that sends this and then nothing more.
    async fn half_a_request(sent: &str, times: Times) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut client =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connects");
        let (stream, _) = listener.accept().await.expect("accepts");
        let stop = Stop::new();
        let routes = Routes { readiness: Readiness::new(stop.clone()), metrics: Metrics::new() };
        client.write_all(sent.as_bytes()).await.expect("sends");
        let mut got = String::new();
        let ((), read) = tokio::join!(
            connection(stream, times, answering(&routes), stop),
            client.read_to_string(&mut got)
        );
        read.expect("the connection ends");
        got
    }

    #[tokio::test]
    async fn a_client_that_does_not_go_on_is_cut_off() {
        let times = Times { head: Duration::from_millis(50), connection: Duration::from_secs(60) };
        assert_eq!(half_a_request("", times).await, "");
        assert!(!half_a_request("GET /healthz HTTP/1.1\r\nhost: ", times).await.contains("alive"));
    }

    #[tokio::test]
    async fn a_connection_has_an_end() {
        let times = Times { head: Duration::from_secs(60), connection: Duration::from_millis(50) };
        let got = half_a_request("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", times).await;
        assert!(got.contains("alive"), "{got}");
    }
}
