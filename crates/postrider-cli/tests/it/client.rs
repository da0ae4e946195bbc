//! The Rust client against the daemon. (Those in TypeScript and Python: crates/postrider-client/check.)

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use postrider_client::types::{
    EndpointChanges, ListEventsQuery, NewApiKey, NewEndpoint, NewEvent, Recover,
    RecoverEndpointAnswer, RedeliverEventQuery,
};
use postrider_client::{Client, Error, json};
use postrider_testkit::{Receiver, TestDb};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::support::{Cli, terminate};

const LIMIT: Duration = Duration::from_secs(30);

/// A daemon with its API, and an admin's client of it.
struct Stage {
    _db: TestDb,
    _cli: Cli,
    daemon: Child,
    address: SocketAddr,
    key: String,
    client: Client,
}

impl Stage {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let cli = Cli::at(&db).with("POSTRIDER_API_LISTEN", &address.to_string());
        let key = cli.run(&["api-keys", "create", "x", "--admin", "--json"]).await.exits(0).json();
        let key = key["key"].as_str().unwrap().to_owned();
        let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
        until("the daemon answers", async || TcpStream::connect(address).await.ok()).await;
        let client = Client::new(&format!("http://{address}"), &key).unwrap();
        Self { _db: db, _cli: cli, daemon, address, key, client }
    }

    /// The same client, on a way where each connection has a fault; and what was sent on it.
    async fn through(&self, faults: &'static [Fault]) -> (Client, Way) {
        let way = Way::start(self.address, faults).await;
        (Client::new(&format!("http://{}", way.address), &self.key).unwrap(), way)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        terminate(&self.daemon);
    }
}

/// Waits until a condition gives something.
async fn until<T>(what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(begun.elapsed() < LIMIT, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What becomes of a connection; those after the last are as they should be.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The daemon answers, and nobody hears it.
    Lose,
    /// Somebody else answers that he is busy, and whether to come again.
    Busy { retry_after: bool },
}

/// A way to the daemon. Ends when it is dropped.
struct Way {
    address: SocketAddr,
    _serving: JoinSet<()>,
    seen: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Way {
    async fn start(daemon: SocketAddr, faults: &'static [Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, seen) = tokio::sync::mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let (mut faults, mut connections) = (faults.iter().copied(), JoinSet::new());
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(exchange(stream, daemon, faults.next(), tell.clone()));
            }
        });
        Self { address, _serving: serving, seen }
    }

    /// The requests so far.
    fn seen(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }
}

async fn exchange(
    mut stream: TcpStream,
    daemon: SocketAddr,
    fault: Option<Fault>,
    tell: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut onward = TcpStream::connect(daemon).await.unwrap();
    if fault.is_none() {
        drop(tokio::io::copy_bidirectional(&mut stream, &mut onward).await);
        return;
    }
    let mut request = vec![0; 65_536];
    let length = stream.read(&mut request).await.unwrap_or(0);
    let request = &request[..length];
    let _ = tell.send(String::from_utf8_lossy(request).into_owned());
    match fault {
        Some(Fault::Busy { retry_after }) => {
            let body = r#"{"status":503,"code":"database.busy","detail":"busy","request_id":"r"}"#;
            let again = if retry_after { "retry-after: 0\r\n" } else { "" };
            let head = format!("HTTP/1.1 503 x\r\n{again}content-length: {}\r\n\r\n", body.len());
            drop(stream.write_all(format!("{head}{body}").as_bytes()).await);
        }
        _ => {
            onward.write_all(request).await.unwrap();
            // Answered means carried out.
            let _ = onward.read(&mut [0; 1]).await;
        }
    }
}

fn event(event_type: &str, data: i32) -> NewEvent {
    NewEvent { r#type: event_type.into(), data: json(&data).unwrap(), ..NewEvent::default() }
}

#[track_caller]
fn assert_problem(error: &Error, status: u16, code: &str, hidden: &str) {
    let problem = error.problem().unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!((problem.status, &*problem.code), (status, code), "{error}");
    assert!(!problem.request_id.is_empty());
    assert!(!format!("{error:?} {error}").contains(hidden));
}

#[tokio::test]
async fn an_event_is_published_once_and_its_problems_are_typed() {
    let stage = Stage::new().await;
    let (events, key) = (stage.client.events(), &stage.key);
    let once = NewEvent { key: Some(vec!["once".into()]), ..event("order.paid", 1) };
    let published = events.publish(&once).await.unwrap();
    assert_eq!(published.outcome, "inserted");
    assert_eq!(events.publish(&once).await.unwrap().outcome, "duplicate");
    let other = NewEvent { data: json(&2).unwrap(), ..once.clone() };
    assert_problem(&events.publish(&other).await.unwrap_err(), 409, "event.conflict", key);
    let invalid = events.publish(&event("a b", 1)).await.unwrap_err();
    let problem = invalid.problem().unwrap();
    assert_eq!((problem.status, &*problem.errors[0].pointer), (422, "/type"));
    let shown = events.get(&published.id, &Default::default()).await.unwrap();
    assert_eq!(shown.envelope["data"], 1);
    let missing = events.get("evt/../x", &Default::default()).await.unwrap_err();
    assert_problem(&missing, 404, "event.not_found", key);

    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(events.publish(&event("page.turned", n)).await.unwrap().id);
    }
    ids.reverse();
    let pages = ListEventsQuery {
        r#type: Some("page.turned".into()),
        limit: Some(2),
        ..Default::default()
    };
    let listed: Vec<String> =
        events.list(&pages).all().await.unwrap().into_iter().map(|event| event.id).collect();
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn an_endpoint_lives_gets_events_and_what_went_wrong_is_sent_again() {
    let stage = Stage::new().await;
    let (client, receiver) = (&stage.client, Receiver::start().await);
    let url = receiver.url("/");
    let wanted = NewEndpoint {
        url: Some(url.clone()),
        event_types: Some(vec!["shop.*".into()]),
        ..NewEndpoint::default()
    };
    let created = client.endpoints().create(&wanted).await.unwrap();
    let secret = created.secret.as_ref().unwrap();
    assert!(secret.expose().starts_with("whsec_"));
    assert!(!format!("{created:?}").contains(secret.expose()));
    let id = &*created.id;
    assert_eq!(client.endpoints().get(id).await.unwrap().url, Some(url));
    let limited = |rate| EndpointChanges { rate_limit: Some(rate), ..EndpointChanges::default() };
    let updated = client.endpoints().update(id, &limited(Some(7))).await.unwrap();
    assert_eq!(updated.rate_limit, Some(7));
    let freed = client.endpoints().update(id, &limited(None)).await.unwrap();
    assert_eq!(freed.rate_limit, None, "null takes away");
    assert!(client.endpoints().rotate_secret(id, None).await.unwrap().secret.is_some());

    let tested = client.endpoints().test(id).await.unwrap();
    until("the test", async || {
        let delivery = client.deliveries().get(&tested.delivery_id).await.unwrap();
        (delivery.status == "delivered").then_some(())
    })
    .await;
    let late = client.deliveries().cancel(&tested.delivery_id).await.unwrap_err();
    assert_eq!(late.problem().unwrap().status, 409);

    let published = client.events().publish(&event("shop.opened", 1)).await.unwrap().id;
    let arrived = || receiver.received().iter().filter(|one| one.id() == published).count();
    until("the event", async || (arrived() == 1).then_some(())).await;
    until("its record", async || {
        let all = client.events().deliveries(&published, &Default::default()).all().await.unwrap();
        (all.len() == 1 && all[0].status == "delivered").then_some(())
    })
    .await;
    let query = RedeliverEventQuery::default();
    let again = client.events().redeliver(&published, None, &query).await.unwrap();
    assert!(again.data[0].redelivered);
    until("it again", async || (arrived() == 2).then_some(())).await;

    let wanted =
        Recover { since: "2026-01-01T00:00:00Z".into(), dry_run: Some(true), ..Recover::default() };
    let counted = client.endpoints().recover(id, &wanted).await.unwrap();
    assert!(matches!(counted, RecoverEndpointAnswer::Counted(counted) if counted.dry_run));

    assert!(!client.endpoints().disable(id).await.unwrap().enabled);
    assert!(client.endpoints().enable(id).await.unwrap().enabled);
    assert!(client.endpoints().delete(id).await.unwrap().deleted);
    let gone = client.endpoints().get(id).await.unwrap_err();
    assert_problem(&gone, 404, "endpoint.not_found", &stage.key);
}

#[tokio::test]
async fn a_key_is_shown_once_and_ends_when_it_is_revoked() {
    let stage = Stage::new().await;
    let wanted =
        NewApiKey { name: "x".into(), tenant_id: Some("t".into()), ..NewApiKey::default() };
    let created = stage.client.api_keys().create(&wanted).await.unwrap();
    let key = created.key.expose();
    let theirs = Client::new(&format!("http://{}", stage.address), key).unwrap();
    assert!(!format!("{created:?} {theirs:?}").contains(&**key));
    assert_eq!(theirs.events().list(&Default::default()).all().await.unwrap().len(), 0);
    stage.client.api_keys().revoke(&created.id).await.unwrap();
    let refused = theirs.events().list(&Default::default()).all().await.unwrap_err();
    assert_problem(&refused, 401, "unauthorized", key);
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_sent_again_and_carried_out_once() {
    let stage = Stage::new().await;
    let (lossy, mut way) = stage.through(&[Fault::Lose, Fault::Lose]).await;
    let published = lossy.events().publish(&event("lost.once", 1)).await.unwrap();
    assert_eq!(published.outcome, "inserted");
    let seen = way.seen();
    let key = |request: &String| {
        let line = request.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap();
        line.to_owned()
    };
    assert_eq!(seen.len(), 2);
    assert_eq!(key(&seen[0]), key(&seen[1]));
    let all = stage.client.events().list(&ListEventsQuery::default()).all().await.unwrap();
    assert_eq!(all.len(), 1);
    let named = stage.client.idempotency_key("a-key-of-ours").unwrap();
    let first = named.events().publish(&event("lost.twice", 1)).await.unwrap();
    let second = named.events().publish(&event("lost.twice", 1)).await.unwrap();
    assert_eq!((first.id, &*second.outcome), (second.id, "inserted"), "the first answer again");

    let (lossy, mut way) = stage.through(&[Fault::Lose, Fault::Lose]).await;
    let nobody = format!("whk_{}", "0".repeat(32));
    let error = lossy.endpoints().delete(&nobody).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains(&stage.key));
    assert_eq!(way.seen().len(), 1, "what cannot be sent twice is sent once");
}

#[tokio::test]
async fn a_busy_daemon_is_asked_again_when_it_says_after_how_long() {
    let stage = Stage::new().await;
    let (busy, _way) = stage.through(&[Fault::Busy { retry_after: true }; 3]).await;
    assert_eq!(busy.events().publish(&event("busy.once", 1)).await.unwrap().outcome, "inserted");
    let (mute, _way) = stage.through(&[Fault::Busy { retry_after: false }]).await;
    let error = mute.jobs().list(&Default::default()).all().await.unwrap_err();
    assert_problem(&error, 503, "database.busy", &stage.key);
}

#[tokio::test]
async fn the_command_line_asks_a_server_for_anything_that_its_api_has() {
    let stage = Stage::new().await;
    let server = format!("http://{}", stage.address);
    let key_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key_file.path(), &stage.key).unwrap();
    let key_file = key_file.path().to_str().unwrap();
    let ask = |arguments: &[&str]| {
        let with = ["--server", &*server, "--api-key-file", key_file, "--json"];
        let arguments: Vec<String> =
            [&["api"], arguments, &with].concat().iter().map(|&text| text.to_owned()).collect();
        let cli = &stage._cli;
        async move { cli.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    for n in 0..3 {
        let event = format!(r#"{{"type":"order.paid","data":{n},"id":"e{n}"}}"#);
        let published = ask(&["/events", "--data", &event]).await.exits(0).json();
        assert_eq!(published["outcome"], "inserted");
    }
    let one = ask(&["/events/e1"]).await.exits(0).json();
    assert_eq!(one["type"], "order.paid");
    let listed = ask(&["/events?limit=1&type=order.paid", "--all"]).await.exits(0);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
    ask(&["/events/none"]).await.exits(5);
    ask(&["/events", "--data", "{}"]).await.exits(2);
    ask(&["events"]).await.exits(2);
    let endpoint = r#"{"url":"https://example.com/a"}"#;
    let made = ask(&["/endpoints", "--data", endpoint]).await.exits(0).json();
    let path = format!("/endpoints/{}", made["id"].as_str().unwrap());
    ask(&[&path, "-X", "DELETE"]).await.exits(2);
    ask(&[&path]).await.exits(0);
    assert_eq!(ask(&[&path, "-X", "DELETE", "--yes"]).await.exits(0).json()["deleted"], true);
    std::fs::write(key_file, "prk_wrong").unwrap();
    let denied = ask(&["/events"]).await.exits(4);
    assert!(!denied.err.contains("prk_wrong"), "{}", denied.err);
    let nobody = ["api", "/events", "--server", "http://127.0.0.1:1"];
    stage._cli.run(&nobody).await.exits(69);
}
