//! HTTP/2 where the receiver offers it, over one connection.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, ClientConfig};
use tempfile::NamedTempFile;

use crate::support::authority::Authority;
use crate::support::name_server::NameServer;
use crate::support::sink::Sink;
use crate::support::{ATTEMPT, asking, post, request};

/// Version, `:authority` and headers, body.
type Seen = Arc<Mutex<Vec<(Version, String, String)>>>;

struct Lab {
    sink: Sink,
    seen: Seen,
    client: Client,
    url: String,
    _name_server: NameServer,
    _ca_file: NamedTempFile,
}

async fn lab() -> Lab {
    let authority = Authority::new();
    let acceptor = authority.acceptor("h.test", &["h2", "http/1.1"]);
    let seen = Seen::default();
    let journal = Arc::clone(&seen);
    let sink = Sink::start(move |conversation| {
        let (acceptor, journal) = (acceptor.clone(), Arc::clone(&journal));
        async move {
            let tls = acceptor.accept(conversation.socket).await.unwrap();
            let service = service_fn(move |request| answer(request, Arc::clone(&journal)));
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(tls), service)
                .await;
        }
    })
    .await;
    let name_server = NameServer::pointing_to([127, 0, 0, 1].into()).await;
    let ca_file = authority.file();
    let config =
        ClientConfig { ca_file: Some(ca_file.path().to_owned()), ..asking(name_server.address) };
    let url = format!("https://h.test:{}/hook", sink.address.port());
    let client = Client::new(config).unwrap();
    Lab { sink, seen, client, url, _name_server: name_server, _ca_file: ca_file }
}

async fn answer(
    request: Request<Incoming>,
    seen: Seen,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let about = format!("{} {:?}", head.uri.authority().unwrap(), head.headers);
    seen.lock().unwrap().push((head.version, about, text.clone()));
    let mut response = Response::new(Full::new(body));
    match text.as_str() {
        "hang" => std::future::pending().await,
        "huge" => *response.body_mut() = Full::new(Bytes::from(vec![b'x'; 8 * 1024 * 1024])),
        "fail" => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        _ => (),
    }
    Ok(response)
}

#[tokio::test]
async fn many_requests_share_one_http2_connection() {
    let lab = lab().await;
    assert!(post(&lab.client, &lab.url).await.is_success());
    let answers = join_all((0..50).map(|_| post(&lab.client, &lab.url))).await;
    assert!(answers.iter().all(|answer| answer.is_success() && answer.body == b"{\"body\":true}"));
    assert_eq!(answers[0].peer, Some(lab.sink.address.ip()));
    assert_eq!(lab.sink.connections(), 1);

    let seen = lab.seen.lock().unwrap();
    assert_eq!(seen.len(), 51);
    for (version, about, _) in seen.iter() {
        assert_eq!(*version, Version::HTTP_2);
        assert!(about.starts_with(&format!("h.test:{} ", lab.sink.address.port())), "{about}");
        assert!(!about.contains("\"host\"") && about.contains("postrider/"), "{about}");
    }
}

#[tokio::test]
async fn a_hanging_or_huge_answer_costs_its_stream_and_not_the_connection() {
    let lab = lab().await;
    assert!(post(&lab.client, &lab.url).await.is_success());
    let hanging = lab.client.send(request(&lab.url, "hang"), ATTEMPT / 10).await;
    assert_eq!(hanging.error, Some(ErrorClass::Timeout));
    let huge = lab.client.send(request(&lab.url, "huge"), ATTEMPT).await;
    assert_eq!((huge.status, huge.body.len()), (Some(200), 4096));
    let failing = lab.client.send(request(&lab.url, "fail"), ATTEMPT).await;
    assert_eq!((failing.status, failing.error), (Some(503), Some(ErrorClass::HttpStatus)));
    assert!(post(&lab.client, &lab.url).await.is_success());
    assert_eq!(lab.sink.connections(), 1);
}
