//! Every answer that a receiver may give, however broken, gets its verdict.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use postrider_core::status::ErrorClass;
use postrider_destinations::{Capture, Client, ClientConfig, OutgoingRequest};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep};

use crate::support::authority::Authority;
use crate::support::cases::{Case, of_group};
use crate::support::name_server::NameServer;
use crate::support::sink::{Conversation, Sink};
use crate::support::{ATTEMPT, asking, loopback, post, request};
use crate::tls::{TLS_1_1_SERVER_HELLO, handshake_only};

const HTTP_OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn every_answer_gets_its_verdict_in_time() {
    let cases = of_group("response");
    assert_eq!(cases.len(), 30);
    join_all(cases.into_iter().map(run)).await;
}

async fn run(case: Case) {
    let started = Instant::now();
    match case.input.get("tls").and_then(Value::as_str) {
        Some(kind) => run_tls(&case, kind).await,
        None => run_plain(&case).await,
    }
    let took = started.elapsed();
    assert!(took < ATTEMPT + Duration::from_secs(5), "{} took {took:?}", case.id);
}

async fn run_plain(case: &Case) {
    let script = Arc::new(Script::of(&case.input));
    let sink = Sink::start(move |conversation| play(conversation, Arc::clone(&script))).await;
    let answer = post(&Client::new(loopback()).unwrap(), &sink.url()).await;
    case.check(&answer);
    assert_eq!(sink.connections(), 1, "{} {}: a redirect or a second try", case.id, case.name);
    if case.id == "response-007" {
        assert_eq!(answer.body, GZIP_START.iter().copied().chain([0; 4092]).collect::<Vec<u8>>());
        assert!(!sink.requests()[0].contains("accept-encoding"));
    }
    if case.id == "response-008" {
        assert_eq!(answer.body, b"a\x00\xff\xfe");
    }
}

async fn run_tls(case: &Case, kind: &str) {
    let authority = Authority::new();
    let sink = match kind {
        "certificate for another name" => {
            handshake_only(authority.acceptor("other.test", &[])).await
        }
        "untrusted issuer" => handshake_only(Authority::new().acceptor("h.test", &[])).await,
        "TLS 1.1 only" => {
            Sink::start(|conversation| greet(conversation, TLS_1_1_SERVER_HELLO)).await
        }
        "plain text on the TLS port" => {
            Sink::start(|conversation| greet(conversation, HTTP_OK)).await
        }
        other => panic!("unknown case {other}"),
    };
    let name_server = NameServer::pointing_to([127, 0, 0, 1].into()).await;
    let ca_file = authority.file();
    let config =
        ClientConfig { ca_file: Some(ca_file.path().to_owned()), ..asking(name_server.address) };
    let url = format!("https://h.test:{}/hook", sink.address.port());
    let answer = post(&Client::new(config).unwrap(), &url).await;
    case.check(&answer);
    let class = match kind {
        "certificate for another name" => ErrorClass::TlsWrongName,
        "untrusted issuer" => ErrorClass::TlsUnknownIssuer,
        "TLS 1.1 only" => ErrorClass::TlsVersion,
        _ => ErrorClass::TlsInvalid,
    };
    assert_eq!(answer.error, Some(class), "{} {}", case.id, case.name);
    assert_eq!(sink.requests(), [""; 0], "{}: a request was sent", case.id);
}

/// Answers the first bytes, whatever they are, and notes down anything that is our request.
async fn greet(mut conversation: Conversation, greeting: &'static [u8]) {
    let mut hello = vec![0; 4096];
    let read = conversation.socket.read(&mut hello).await.unwrap();
    if hello[..read].windows(4).any(|four| four == b"body") {
        conversation.note("the body in the clear");
    }
    conversation.say(greeting).await;
    conversation.request().await;
}

/// `raw` or `raw_b64` first, byte by byte where there is a delay, then the action in `then`.
#[derive(Debug)]
struct Script {
    raw: Vec<u8>,
    byte_delay: Option<Duration>,
    then: String,
}

/// What the compressed body begins with; zeros follow. Nobody may try to unpack it.
const GZIP_START: [u8; 4] = [0x1f, 0x8b, 8, 0];

impl Script {
    fn of(input: &Value) -> Self {
        let text = |key: &str| input.get(key).and_then(Value::as_str);
        let raw = match (text("raw"), text("raw_b64")) {
            (Some(raw), _) => {
                let many: String = (0..101).map(|n| format!("x-{n}: {n}\r\n")).collect();
                raw.replace("$headers_101", &many).replace("$n", "1000000").into_bytes()
            }
            (None, Some(encoded)) => {
                assert_eq!(encoded, "SFRUUC8xLjEgMjAwIE9LDQpjb250ZW50LWxlbmd0aDogNA0KDQphAP/+");
                b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\na\x00\xff\xfe".to_vec()
            }
            (None, None) => Vec::new(),
        };
        let byte_delay =
            input.get("byte_delay_ms").and_then(Value::as_u64).map(Duration::from_millis);
        Script { raw, byte_delay, then: text("then").unwrap_or("close").to_owned() }
    }
}

async fn play(mut conversation: Conversation, script: Arc<Script>) {
    match script.then.as_str() {
        "rst_now" => return conversation.reset(),
        "close_unread" => {
            conversation.say(&script.raw).await;
            return;
        }
        _ => (),
    }
    conversation.request().await;
    match script.byte_delay {
        None => _ = conversation.say(&script.raw).await,
        Some(delay) => {
            for byte in &script.raw {
                sleep(delay).await;
                conversation.say(&[*byte]).await;
            }
        }
    }
    match script.then.as_str() {
        "close" => (),
        "rst" => conversation.reset(),
        "repeat_forever" => while conversation.say(&script.raw).await {},
        "drip_1_per_s" => {
            while conversation.say(b"x").await {
                sleep(Duration::from_secs(1)).await;
            }
        }
        "gzip_bomb" => {
            conversation.say(&GZIP_START).await;
            while conversation.say(&[0; 4096]).await {}
        }
        other => panic!("unknown action {other}"),
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_its_target_sees_nothing() {
    let forbidden = Sink::answering(HTTP_OK).await;
    let location = forbidden.url();
    let sink = Sink::start(move |mut conversation| {
        let location = location.clone();
        async move {
            for status in [
                "301 Moved",
                "302 Found",
                "303 See Other",
                "307 Temporary Redirect",
                "308 Permanent Redirect",
            ] {
                conversation.request().await.unwrap();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
                );
                conversation.say(answer.as_bytes()).await;
            }
        }
    })
    .await;
    let client = Client::new(loopback()).unwrap();
    for status in [301, 302, 303, 307, 308] {
        let answer = post(&client, &sink.url()).await;
        assert_eq!((answer.status, answer.error), (Some(status), Some(ErrorClass::HttpStatus)));
        assert_eq!(answer.header("location"), Some(forbidden.url().as_bytes()));
    }
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test]
async fn the_words_of_the_answer_are_kept_as_bytes_with_the_address() {
    let sink = Sink::answering(
        b"HTTP/1.1 500 Oh\r\nX-Reason: caf\xe9\r\nretry-after: 7\r\ncontent-length: 5\r\n\r\nsorry",
    )
    .await;
    let answer = post(&Client::new(loopback()).unwrap(), &sink.url()).await;
    assert_eq!((answer.status, answer.error), (Some(500), Some(ErrorClass::HttpStatus)));
    assert_eq!(answer.header("x-reason"), Some(b"caf\xe9".as_slice()));
    assert_eq!(answer.body, b"sorry");
    assert_eq!(answer.peer, Some(sink.address.ip()));
}

#[tokio::test]
async fn of_a_success_nothing_is_kept_unless_asked_for_but_an_instruction() {
    let sink = Sink::answering(
        b"HTTP/1.1 202 Fine\r\nwebhook-delivery: disable\r\nx-other: 1\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    let unasked = OutgoingRequest { capture: Capture::Failures, ..request(&sink.url(), "{}") };
    let answer = Client::new(loopback()).unwrap().send(unasked, ATTEMPT).await;
    assert!(answer.is_success() && answer.body.is_empty());
    assert_eq!(answer.headers, [("webhook-delivery".to_owned(), b"disable".to_vec())]);
}

#[tokio::test]
async fn the_request_is_a_post_with_host_agent_length_and_nothing_unasked() {
    let sink = Sink::answering(HTTP_OK).await;
    post(&Client::new(loopback()).unwrap(), &format!("{}?a=b", sink.url())).await;
    let request = sink.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /hook?a=b HTTP/1.1");
    lines.sort_unstable();
    let agent = format!("user-agent: postrider/{}", env!("CARGO_PKG_VERSION"));
    let host = format!("host: {}", sink.address);
    assert_eq!(lines, ["content-length: 13", host.as_str(), agent.as_str()]);
    assert_eq!(body, "{\"body\":true}");
}

/// A receiver that shows the request it got, as debugging endpoints do.
#[tokio::test]
async fn what_a_receiver_echoes_of_our_secrets_is_not_kept() {
    let sink = Sink::start(|mut conversation| async move {
        while let Some(seen) = conversation.request().await {
            let head = format!("HTTP/1.1 500 No\r\ncontent-length: {}\r\nx-seen: ", seen.len());
            let key =
                seen.lines().find_map(|line| line.strip_prefix("x-key: ")).unwrap_or_default();
            conversation.say(format!("{head}{key}\r\n\r\n{seen}").as_bytes()).await;
        }
    })
    .await;
    let client = Client::new(loopback()).unwrap();
    let mut request = request(&sink.url(), "{}");
    let mut key = http::HeaderValue::from_static("a-canary-of-ours");
    key.set_sensitive(true);
    request.headers.insert("x-key", key);
    let answer = client.send(request, ATTEMPT).await;
    assert!(sink.requests()[0].contains("x-key: a-canary-of-ours\r\n"));
    let body = String::from_utf8(answer.body.clone()).unwrap();
    assert!(body.contains("x-key: [redacted]\r\n") && !body.contains("canary"), "{body}");
    assert_eq!(answer.header("x-seen"), Some(&b"[redacted]"[..]));
}
