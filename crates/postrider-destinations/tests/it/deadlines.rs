//! One deadline over everything, and memory that a receiver cannot fill.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use postrider_core::status::ErrorClass;
use postrider_destinations::Client;
use tokio::time::{Instant, sleep};

use crate::support::sink::Sink;
use crate::support::{loopback, request};

const DEADLINE: Duration = Duration::from_millis(500);
/// The two cores may be busy; a broken deadline would be late by seconds.
const LATE: Duration = Duration::from_millis(1500);

async fn attempt(
    sink: &Sink,
    body: impl Into<Bytes>,
) -> (Option<u16>, Option<ErrorClass>, Duration) {
    let client = Client::new(loopback()).unwrap();
    let started = Instant::now();
    let answer = client.send(request(&sink.url(), body), DEADLINE).await;
    let took = started.elapsed();
    assert!(took < LATE, "the attempt took {took:?}");
    (answer.status, answer.error, took)
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_left_at_the_deadline() {
    let sink =
        Sink::start(
            |mut conversation| async move { while conversation.request().await.is_some() {} },
        )
        .await;
    let (status, error, took) = attempt(&sink, "{}").await;
    assert_eq!((status, error), (None, Some(ErrorClass::Timeout)));
    assert!(took >= DEADLINE);
}

#[tokio::test]
async fn a_receiver_that_never_reads_is_left_at_the_deadline() {
    let sink = Sink::start(|conversation| async move {
        sleep(Duration::from_secs(60)).await;
        drop(conversation);
    })
    .await;
    let (status, error, _) = attempt(&sink, vec![b'x'; 64 * 1024 * 1024]).await;
    assert_eq!((status, error), (None, Some(ErrorClass::Timeout)));
}

#[tokio::test]
async fn a_slow_head_is_a_timeout_and_a_slow_body_is_not() {
    for (head, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-le"[..], (None, Some(ErrorClass::Timeout))),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", (Some(200), None)),
        (
            b"HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n",
            (Some(503), Some(ErrorClass::HttpStatus)),
        ),
    ] {
        let sink = Sink::start(move |mut conversation| async move {
            conversation.request().await;
            conversation.say(head).await;
            conversation.request().await;
        })
        .await;
        let (status, error, took) = attempt(&sink, "{}").await;
        assert_eq!((status, error), expected);
        assert!(took >= DEADLINE);
    }
}

#[tokio::test]
async fn answers_without_end_are_cut_long_before_they_cost_memory() {
    for (start, repeated, expected) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n", (None, Some(ErrorClass::ResponseTooLarge))),
        (
            "",
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
            (None, Some(ErrorClass::ResponseTooLarge)),
        ),
        ("HTTP/1.1 200 OK\r\nx: ", "h", (None, Some(ErrorClass::ResponseTooLarge))),
        ("HTTP/1.1 200 OK\r\n\r\n", "endless", (Some(200), None)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n", (Some(200), None)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "1;extension=",
            (Some(200), None),
        ),
    ] {
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let flood: Arc<[u8]> = repeated.as_bytes().repeat(64 * 1024 / repeated.len()).into();
        let sink = Sink::start(move |mut conversation| {
            let (counter, flood) = (Arc::clone(&counter), Arc::clone(&flood));
            async move {
                conversation.request().await;
                conversation.say(start.as_bytes()).await;
                while conversation.say(&flood).await {
                    counter.fetch_add(flood.len(), Ordering::SeqCst);
                }
            }
        })
        .await;
        let (status, error, _) = attempt(&sink, "{}").await;
        assert_eq!((status, error), expected, "{start:?} {repeated:?}");
        // Most of it lies in the buffers of the two sockets: the kernel takes what nobody reads.
        let sent = sent.load(Ordering::SeqCst);
        assert!(sent < 16 * 1024 * 1024, "{start:?} {repeated:?}: took {sent} bytes");
    }
}
