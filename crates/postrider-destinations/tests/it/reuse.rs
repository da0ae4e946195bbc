//! One connection carries many requests, and no request is ever sent twice by itself.

use std::collections::HashSet;

use postrider_core::status::ErrorClass;
use postrider_destinations::Client;

use crate::support::sink::Sink;
use crate::support::{ATTEMPT, loopback, post, request};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn keep_alive_uses_one_connection() {
    let sink = Sink::answering(OK).await;
    let client = Client::new(loopback()).unwrap();
    for _ in 0..20 {
        assert!(post(&client, &sink.url()).await.is_success());
    }
    assert_eq!((sink.connections(), sink.requests().len()), (1, 20));
}

#[tokio::test]
async fn a_body_that_was_not_read_to_its_end_costs_the_connection() {
    let sink = Sink::start(|mut conversation| async move {
        conversation.request().await.unwrap();
        conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await;
        while conversation.say(&[0; 4096]).await {}
    })
    .await;
    let client = Client::new(loopback()).unwrap();
    for _ in 0..3 {
        let answer = post(&client, &sink.url()).await;
        assert!(answer.is_success());
        assert_eq!(answer.body.len(), 4096);
    }
    assert_eq!(sink.connections(), 3);
}

/// The receiver closes after each answer without saying so, and the next request may meet the closing connection.
#[tokio::test]
async fn a_connection_closed_as_it_is_reused_loses_nothing_and_doubles_nothing() {
    let sink = Sink::start(|mut conversation| async move {
        conversation.request().await;
        conversation.say(OK).await;
    })
    .await;
    let client = Client::new(loopback()).unwrap();
    let mut delivered = 0;
    for number in 0..200 {
        let answer = client.send(request(&sink.url(), format!("number {number}.")), ATTEMPT).await;
        match answer.error {
            None => delivered += 1,
            Some(class) => assert_eq!(class, ErrorClass::Reset),
        }
    }
    let requests = sink.requests();
    let distinct: HashSet<&str> =
        requests.iter().map(|request| request.split("\r\n\r\n").nth(1).unwrap()).collect();
    assert_eq!(distinct.len(), requests.len(), "a request arrived twice");
    assert!(delivered > 0 && requests.len() >= delivered, "{delivered} of {}", requests.len());
}

/// The receiver has the second request and closes without an answer: whether it acted is unknown, so the attempt failed
/// and the schedule decides, not the client.
#[tokio::test]
async fn a_request_that_arrived_is_not_repeated() {
    let sink = Sink::start(|mut conversation| async move {
        conversation.request().await;
        conversation.say(OK).await;
        conversation.request().await;
    })
    .await;
    let client = Client::new(loopback()).unwrap();
    assert!(post(&client, &sink.url()).await.is_success());
    let answer = post(&client, &sink.url()).await;
    assert_eq!((answer.status, answer.error), (None, Some(ErrorClass::Reset)));
    assert_eq!((sink.connections(), sink.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_request_that_timed_out_gives_up_its_connection() {
    let sink = Sink::start(|mut conversation| async move {
        if conversation.request().await.unwrap().ends_with("hang") {
            conversation.request().await;
        } else {
            conversation.say(OK).await;
        }
    })
    .await;
    let client = Client::new(loopback()).unwrap();
    let answer = client.send(request(&sink.url(), "hang"), ATTEMPT / 10).await;
    assert_eq!(answer.error, Some(ErrorClass::Timeout));
    assert!(post(&client, &sink.url()).await.is_success());
    assert_eq!(sink.connections(), 2);
}
