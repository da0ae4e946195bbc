//! Accepts connections and answers requests by their behaviour.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::behaviour::{Behaviour, Reply};
use super::connection::{Tracked, Wire};
use super::exchange::{Content, Exchange, Outgoing};
use super::record::{Received, Recorder};
use crate::clock::monotonic_ns;

/// Serves until `stopped` resolves; then every connection is closed.
pub(super) async fn serve(
    listener: TcpListener,
    recorder: Arc<Recorder>,
    counting: bool,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: leave the others a moment to give some back.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        recorder.connections.fetch_add(1, Ordering::SeqCst);
        let _ = stream.set_nodelay(true);
        let recorder = Arc::clone(&recorder);
        if counting {
            connections.spawn(count(stream, recorder));
        } else {
            connections.spawn(record(stream, recorder));
        }
    }
}

/// A connection whose requests are only counted.
async fn count(stream: TcpStream, recorder: Arc<Recorder>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let recorder = Arc::clone(&recorder);
        async move {
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.frame().await {}
            recorder.counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A connection whose requests are recorded and answered by their behaviour.
async fn record(stream: TcpStream, recorder: Arc<Recorder>) {
    let wire = Arc::new(Wire::new());
    let io = TokioIo::new(Tracked::new(stream, Arc::clone(&wire)));
    let service = service_fn(|request| {
        let exchange = Exchange::begin(Arc::clone(&recorder), Arc::clone(&wire));
        answer(request, exchange, Arc::clone(&recorder), Arc::clone(&wire))
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    {
        let connection = std::pin::pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection => {}
            () = wire.to_be_cut() => {}
        }
    }
    wire.gone();
}

async fn answer(
    request: Request<Incoming>,
    mut exchange: Exchange,
    recorder: Arc<Recorder>,
    wire: Arc<Wire>,
) -> Result<Response<Outgoing>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let mut behaviour = recorder.behaviours().next(&path);
    let sequence = recorder.arrive(Received {
        sequence: 0,
        at: Instant::now(),
        at_ns: monotonic_ns(),
        method: head.method,
        path,
        version: head.version,
        headers: head.headers,
        body,
        answered: None,
        answered_at: None,
    });
    exchange.sequence = Some(sequence);
    let (reply, content) = loop {
        behaviour = match behaviour {
            Behaviour::Reply(reply) => {
                let content = Content::Whole(reply.body.clone());
                break (reply, content);
            }
            Behaviour::Sequence(steps) => {
                steps.into_iter().next().unwrap_or_else(|| Behaviour::status(200))
            }
            Behaviour::Delay(wait, then) => {
                tokio::time::sleep(wait).await;
                *then
            }
            Behaviour::Ask(decide) => match recorder.request(sequence) {
                Some(request) => decide(&request),
                None => Behaviour::status(200),
            },
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Reset => {
                wire.reset();
                std::future::pending().await
            }
            Behaviour::HugeBody { bytes } => {
                break (Reply::new(200), Content::Many { left: bytes });
            }
            Behaviour::SlowBody { every, bytes } => {
                let pause = Box::pin(tokio::time::sleep(every));
                break (Reply::new(200), Content::Slow { left: bytes, every, pause });
            }
            Behaviour::Cut { after } => {
                let bytes = Some(Bytes::from(vec![b'x'; after.max(1)]));
                break (
                    Reply::new(200),
                    Content::Cut { bytes, promised: after.max(1_000) as u64 + 1 },
                );
            }
        };
    };
    Ok(respond(reply, content, exchange))
}

fn respond(reply: Reply, content: Content, exchange: Exchange) -> Response<Outgoing> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(exchange.answer(status.as_u16(), content));
    *response.status_mut() = status;
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) =
            (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}
