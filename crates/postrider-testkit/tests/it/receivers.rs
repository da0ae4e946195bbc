use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use postrider_testkit::{Behaviour, Receiver, Reply};

type Http = Client<HttpConnector, Full<Bytes>>;

const LIMIT: Duration = Duration::from_secs(5);

fn client(h2: bool) -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http2_only(h2).build(connector)
}

fn post(receiver: &Receiver, path: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post(receiver.url(path))
        .header("webhook-id", "evt_1")
        .body(Full::from(body.to_owned()))
        .unwrap()
}

async fn status(client: &Http, receiver: &Receiver, path: &str) -> u16 {
    client.request(post(receiver, path, "{}")).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn it_records_what_arrives_over_both_versions_of_http() {
    let receiver = Receiver::start().await;
    for (h2, version) in [(false, Version::HTTP_11), (true, Version::HTTP_2)] {
        assert_eq!(
            client(h2).request(post(&receiver, "/a/b?c", "hello")).await.unwrap().status(),
            200
        );
        let received = receiver.received().pop().unwrap();
        assert_eq!(
            (received.version, received.path.as_str(), received.id()),
            (version, "/a/b?c", "evt_1")
        );
        assert_eq!((received.body.as_ref(), received.method.as_str()), (&b"hello"[..], "POST"));
    }
    let all = receiver.wait_for(2, LIMIT).await;
    assert_eq!(all.iter().map(|r| r.sequence).collect::<Vec<_>>(), [0, 1]);
    assert!(all[0].at <= all[1].at && all[0].at_ns <= all[1].at_ns);
    assert_eq!(receiver.received_at("/elsewhere").len(), 0);
    assert_eq!((receiver.count(), receiver.connections(), receiver.most_open()), (2, 2, 1));
}

#[tokio::test]
async fn paths_answer_as_they_are_told() {
    let receiver = Receiver::answering([500, 200]).await;
    receiver.behave("/gone", Behaviour::status(410));
    let busy = Reply::new(503).header("retry-after", "120").header("x-a", "1").body("later");
    receiver.behave("/busy", Behaviour::Reply(busy));
    let client = client(false);
    let mut statuses = Vec::new();
    for path in ["/x", "/x", "/x", "/y", "/gone"] {
        statuses.push(status(&client, &receiver, path).await);
    }
    assert_eq!(statuses, [500, 200, 200, 500, 410]);
    let answer = client.request(post(&receiver, "/busy", "")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"120".parse().unwrap())
    );
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "later");
    let answered: Vec<_> = receiver.received_at("/x").iter().map(|r| r.answered).collect();
    assert_eq!(answered, [Some(500), Some(200), Some(200)]);
}

#[tokio::test]
async fn a_function_sees_the_request_before_it_is_answered() {
    let receiver = Receiver::start().await;
    receiver.behave(
        "/echo",
        Behaviour::ask(|r| Behaviour::Reply(Reply::new(201).body(r.body.clone()))),
    );
    let answer = client(false).request(post(&receiver, "/echo", "ping")).await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ping");
}

#[tokio::test]
async fn a_hanging_path_holds_its_request_open_until_the_client_leaves() {
    let receiver = Receiver::start().await;
    receiver.behave("/hang", Behaviour::Hang);
    for h2 in [false, true] {
        let client = client(h2);
        let before = receiver.count();
        let sent = tokio::time::timeout(
            Duration::from_millis(300),
            client.request(post(&receiver, "/hang", "{}")),
        )
        .await;
        assert!(sent.is_err());
        assert_eq!(receiver.count(), before + 1);
        drop(client);
        nothing_stays_open(&receiver).await;
    }
    assert!(receiver.received().iter().all(|r| r.answered.is_none()));
}

#[tokio::test]
async fn a_delay_delays_and_a_slow_body_trickles() {
    let receiver = Receiver::start().await;
    receiver.behave("/late", Behaviour::delay(Duration::from_millis(150)));
    receiver.behave("/slow", Behaviour::SlowBody { every: Duration::from_millis(40), bytes: 4 });
    let client = client(false);
    let begun = Instant::now();
    assert_eq!(status(&client, &receiver, "/late").await, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    let begun = Instant::now();
    let body = client
        .request(post(&receiver, "/slow", ""))
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(body.to_bytes(), "....");
    assert!(begun.elapsed() >= Duration::from_millis(160));
}

#[tokio::test]
async fn a_huge_body_is_as_huge_as_promised() {
    let receiver = Receiver::start().await;
    receiver.behave("/huge", Behaviour::HugeBody { bytes: 3_000_000 });
    receiver.behave("/endless", Behaviour::HugeBody { bytes: u64::MAX });
    for h2 in [false, true] {
        let client = client(h2);
        let body = client
            .request(post(&receiver, "/huge", ""))
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
            .unwrap();
        assert_eq!(body.to_bytes().len(), 3_000_000);
        let mut endless =
            client.request(post(&receiver, "/endless", "")).await.unwrap().into_body();
        let mut read = 0;
        while read < 5_000_000 {
            read += endless.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
    }
    nothing_stays_open(&receiver).await;
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_cut_answer_is_never_whole() {
    let receiver = Receiver::start().await;
    receiver.behave("/reset", Behaviour::Reset);
    receiver.behave("/cut", Behaviour::Cut { after: 100 });
    let mut raw = TcpStream::connect(receiver.address()).unwrap();
    raw.write_all(b"POST /reset HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").unwrap();
    let error = raw.read(&mut [0; 100]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    for h2 in [false, true] {
        assert!(client(h2).request(post(&receiver, "/reset", "{}")).await.is_err());
        let answer = client(h2).request(post(&receiver, "/cut", "{}")).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.into_body().collect().await.is_err());
    }
    nothing_stays_open(&receiver).await;
    assert!(receiver.received().iter().all(|r| r.answered.is_none()));
}

#[tokio::test(start_paused = true)]
async fn waiting_takes_real_time_even_where_the_clock_is_paused() {
    let receiver = Receiver::start().await;
    let address = receiver.address();
    let sender = std::thread::spawn(move || {
        let mut raw = TcpStream::connect(address).unwrap();
        raw.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        let _ = raw.read(&mut [0; 100]);
    });
    assert!(receiver.arrives(1, LIMIT).await);
    assert!(!receiver.arrives(2, Duration::from_millis(50)).await);
    sender.join().unwrap();
}

#[tokio::test]
async fn counting_counts_and_keeps_nothing() {
    let receiver = Receiver::counting().await;
    for h2 in [false, true] {
        let client = client(h2);
        for _ in 0..50 {
            assert_eq!(status(&client, &receiver, "/x").await, 200);
        }
    }
    assert_eq!((receiver.count(), receiver.received().len(), receiver.connections()), (100, 0, 2));
}

#[tokio::test]
async fn a_dropped_receiver_closes_its_port_and_its_connections() {
    let receiver = Receiver::start().await;
    let mut raw = TcpStream::connect(receiver.address()).unwrap();
    let address = receiver.address();
    tokio::time::timeout(LIMIT, async {
        while receiver.connections() == 0 {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap();
    drop(receiver);
    assert!(matches!(raw.read(&mut [0; 10]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).is_err());
}

async fn nothing_stays_open(receiver: &Receiver) {
    let until = Instant::now() + LIMIT;
    while receiver.open() > 0 {
        assert!(Instant::now() < until, "{} requests are still open", receiver.open());
        tokio::task::yield_now().await;
    }
}
