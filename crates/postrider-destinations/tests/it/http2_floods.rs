//! HTTP/2 receivers that send without end what no flow control bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postrider_core::status::ErrorClass;
use postrider_destinations::{Client, ClientConfig};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::authority::Authority;
use crate::support::name_server::NameServer;
use crate::support::sink::Sink;
use crate::support::{ATTEMPT, asking, post};

/// As much as is read of a flood, with all buffers between.
const MOST: usize = 24 << 20;

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `:status` 103 as a literal, and the 200 of the static table.
const EARLY_HINTS: &[u8] = b"\x08\x03103";
const OK: &[u8] = b"\x88";

/// A receiver that says the first to the first request, and then the second until nobody takes it any more.
struct Flood {
    sink: Sink,
    sent: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    client: Client,
    url: String,
    _name_server: NameServer,
    _ca_file: NamedTempFile,
}

async fn flood(first: Vec<u8>, again: &[u8]) -> Flood {
    let authority = Authority::new();
    let acceptor = authority.acceptor("h.test", &["h2"]);
    let block = again.repeat(16 * 1024 / again.len());
    let (sent, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, end) = (Arc::clone(&sent), Arc::clone(&ended));
    let sink = Sink::start(move |conversation| {
        let (acceptor, first, block) = (acceptor.clone(), first.clone(), block.clone());
        let (counter, end) = (Arc::clone(&counter), Arc::clone(&end));
        async move {
            let tls = acceptor.accept(conversation.socket).await.unwrap();
            let (mut from_client, mut to_client) = tokio::io::split(tls);
            to_client.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
            // The preface, the settings and the request come together or soon after each other.
            let mut bytes = vec![0; 4096];
            loop {
                let read = from_client.read(&mut bytes).await.unwrap();
                assert_ne!(read, 0, "the request came before the end");
                if read >= 100 {
                    break;
                }
            }
            let reading = async { while matches!(from_client.read(&mut bytes).await, Ok(1..)) {} };
            let writing = async {
                let mut written = to_client.write_all(&first).await;
                while written.is_ok() {
                    written = to_client.write_all(&block).await;
                    counter.fetch_add(block.len(), Ordering::SeqCst);
                }
            };
            tokio::select! {
                () = reading => {}
                () = writing => {}
            }
            end.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let name_server = NameServer::pointing_to([127, 0, 0, 1].into()).await;
    let ca_file = authority.file();
    let config =
        ClientConfig { ca_file: Some(ca_file.path().to_owned()), ..asking(name_server.address) };
    let url = format!("https://h.test:{}/hook", sink.address.port());
    let client = Client::new(config).unwrap();
    Flood { sink, sent, ended, client, url, _name_server: name_server, _ca_file: ca_file }
}

impl Flood {
    /// Its connections have ended, long before it had sent much.
    async fn is_over(&self, what: &str) {
        let since = Instant::now();
        while self.ended.load(Ordering::SeqCst) < self.sink.connections() {
            assert!(since.elapsed() < Duration::from_secs(10), "{what} goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let sent = self.sent.load(Ordering::SeqCst);
        assert!(sent < MOST, "{what}: {sent} bytes");
    }
}

#[tokio::test]
async fn what_never_becomes_an_answer_ends_its_connection_long_before_the_deadline() {
    for (what, first, again) in [
        ("interim answers", vec![], frame(HEADERS, END_HEADERS, 1, EARLY_HINTS)),
        ("pings", vec![], frame(PING, 0, 0, &[7; 8])),
        ("settings", vec![], frame(SETTINGS, 0, 0, b"")),
        ("window updates", vec![], frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown frames", vec![], frame(0xbe, 0, 0, &[0; 1000])),
    ] {
        let flood = flood(first, &again).await;
        let answer = post(&flood.client, &flood.url).await;
        assert_eq!(answer.error, Some(ErrorClass::ResponseTooLarge), "{what}: {answer:?}");
        assert!(answer.duration < ATTEMPT / 2, "{what}: {:?}", answer.duration);
        flood.is_over(what).await;
    }
}

#[tokio::test]
async fn a_head_without_end_ends_it_too() {
    let first = frame(HEADERS, 0, 1, OK);
    // A literal header of its own in each.
    let line = [b"\x00\x01x\x7f\x01".as_slice(), &[b'y'; 128]].concat();
    let flood = flood(first, &frame(CONTINUATION, 0, 1, &line)).await;
    let answer = post(&flood.client, &flood.url).await;
    assert_eq!((answer.status, answer.error), (None, Some(ErrorClass::Reset)), "{answer:?}");
    assert!(answer.duration < ATTEMPT / 2, "{:?}", answer.duration);
    flood.is_over("a head").await;
}

#[tokio::test]
async fn a_flood_behind_a_good_answer_ends_with_nobody_waiting() {
    let first = frame(HEADERS, END_HEADERS | END_STREAM, 1, OK);
    let flood = flood(first, &frame(PING, 0, 0, &[7; 8])).await;
    assert_eq!(post(&flood.client, &flood.url).await.status, Some(200));
    flood.is_over("pings").await;
}

#[tokio::test]
async fn a_flood_of_empty_pieces_of_a_body_is_cut() {
    let first = frame(HEADERS, END_HEADERS, 1, OK);
    let flood = flood(first, &frame(0, 0, 1, b"")).await;
    let answer = post(&flood.client, &flood.url).await;
    assert!(answer.status == Some(200) || answer.status.is_none(), "{answer:?}");
    assert!(answer.duration < ATTEMPT / 2, "{:?}", answer.duration);
    flood.is_over("empty pieces").await;
}
