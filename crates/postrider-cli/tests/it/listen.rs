//! `listen`, `events tail` and `events wait`, and what comes with a new endpoint, by the real binary.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::signing::{Secret, verify};
use postrider_testkit::{Receiver, TestDb};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio_postgres::Client;

use crate::support::{Cli, finished, terminate};

const LIMIT: Duration = Duration::from_secs(30);

async fn publish(client: &Client, tenant: &str, id: &str, event_type: &str) {
    let publish = "SELECT postrider.publish_v1($1, $2, $3, '{\"n\": 1.10}', NULL, NULL, NULL, NULL, NULL, true)";
    client.query_one(publish, &[&tenant, &id, &event_type]).await.unwrap();
}

/// A command that goes on, and what it says.
struct Talker {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Talker {
    fn start(cli: &Cli, args: &[&str]) -> Self {
        let mut child = cli.start(args);
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { child, out: BufReader::new(out).lines(), err: BufReader::new(err).lines() }
    }

    async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(LIMIT, self.out.next_line()).await;
        let line = line.expect("in time").unwrap().expect("it goes on");
        serde_json::from_str(&line).unwrap()
    }

    async fn says(&mut self, beginning: &str) -> String {
        loop {
            let line = tokio::time::timeout(LIMIT, self.err.next_line()).await;
            let line = line.expect("in time").unwrap().expect("it goes on");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    async fn exits(mut self) -> i32 {
        let ended = tokio::time::timeout(LIMIT, self.child.wait()).await;
        ended.expect("in time").unwrap().code().unwrap_or(-1)
    }
}

#[tokio::test]
async fn what_is_committed_is_posted_to_a_local_receiver_signed_and_as_it_was_published() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let (cli, client) = (Cli::at(&db), db.client().await);
    publish(&client, "acme", "before", "email.sent").await;
    let url = receiver.url("/h");
    let args = [
        "listen",
        "--forward-to",
        &url,
        "--types",
        "email.*,x",
        "--tenant",
        "acme",
        "--fail-first",
        "1",
        "--jsonl",
        "--expect",
        "2",
    ];
    let mut listen = Talker::start(&cli, &args);
    let secrets = [Secret::parse(&listen.says("Secret:").await).unwrap()];
    assert_eq!(listen.line().await["listening"], true);
    let late = db.client().await;
    late.batch_execute("BEGIN").await.unwrap();
    publish(&late, "acme", "late", "email.sent").await;
    for (tenant, id, kind) in [
        ("acme", "fails", "x"),
        ("other", "foreign", "x"),
        ("acme", "paid", "order.paid"),
        ("acme", "e1", "email.sent"),
    ] {
        publish(&client, tenant, id, kind).await;
    }
    let failed = listen.line().await;
    assert_eq!((&failed["id"], &failed["status"]), (&json!("fails"), &json!(503)), "{failed}");
    let posted = listen.line().await;
    assert_eq!((&posted["id"], &posted["status"]), (&json!("e1"), &json!(200)), "{posted}");
    late.batch_execute("COMMIT").await.unwrap();
    assert_eq!(listen.line().await["id"], "late", "who commits late is heard, and once");
    assert_eq!(listen.exits().await, 0);
    let requests = receiver.received();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let header = |name: &str| request.header(name).to_owned();
        let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
        let envelope: String = client
            .query_one("SELECT envelope FROM postrider.webhook_events WHERE id = $1", &[&id])
            .await
            .unwrap()
            .get(0);
        assert_eq!(request.body, envelope.as_bytes());
        let now = Timestamp::from_second(at.parse().unwrap()).unwrap();
        let signature = header("webhook-signature");
        verify(&secrets, &id, &at, &signature, &request.body, now, LIMIT).unwrap();
    }
}

#[tokio::test]
async fn a_server_is_listened_to_and_after_it_was_away_nothing_is_missing() {
    let (db, client_of) = (TestDb::new().await, Cli::new());
    let (cli, client) = (Cli::at(&db), db.client().await);
    let made = cli.run(&["api-keys", "create", "x", "--tenant", "acme", "--json"]).await.exits(0);
    let key = client_of.file("key", made.json()["key"].as_str().unwrap());
    let address = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().to_string()
    };
    let cli = cli.with("POSTRIDER_API_LISTEN", &address);
    let run = ["run", "--dev", "--admin-listen", "off", "--role", "janitor"];
    let server = format!("http://{address}");
    let args = ["events", "tail", "--server", &server, "--api-key-file", &key, "--jsonl"];
    client_of.run(&args).await.exits(69).says("does not answer");
    let daemon = cli.start(&run);
    while tokio::net::TcpStream::connect(&address).await.is_err() {}
    let wrong = client_of.file("wrong", "prk_nothing");
    client_of
        .run(&["listen", "--server", &server, "--api-key-file", &wrong])
        .await
        .exits(4)
        .says("lets nobody in");
    client_of.run(&["listen", "--server", "ftp://x"]).await.exits(2).says("--server");
    client_of.run(&["listen", "--forward-to", "https://x", "--server", &server]).await.exits(2);
    let mut tail = Talker::start(&client_of, &args);
    assert_eq!(tail.line().await["listening"], true);
    publish(&client, "acme", "e1", "email.sent").await;
    publish(&client, "other", "foreign", "email.sent").await;
    let first = tail.line().await;
    assert_eq!(
        (&first["id"], first["envelope"].as_str().unwrap().contains("1.10")),
        (&json!("e1"), true)
    );
    terminate(&daemon);
    finished(daemon, &run).await.exits(0);
    tail.says("http").await;
    publish(&client, "acme", "e2", "email.sent").await;
    let daemon = cli.start(&run);
    // What was above the horizon when the connection went may come again.
    let mut next = tail.line().await["id"].clone();
    if next == "e1" {
        next = tail.line().await["id"].clone();
    }
    assert_eq!(next, "e2");
    terminate(&daemon);
    finished(daemon, &run).await.exits(0);
    drop(tail);
}

#[tokio::test]
async fn waiting_for_an_event_ends_as_the_event_does() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let (cli, client) = (Cli::at(&db), db.client().await);
    let wait = |what: &'static str, id: &'static str| {
        ["events", "wait", id, "--for", what, "--timeout", "20s", "--json"]
    };
    cli.run(&wait("delivered", "evt_nothing")).await.exits(5);
    publish(&client, "acme", "evt_1", "email.sent").await;
    cli.run(&["events", "wait", "evt_1", "--timeout", "200ms"]).await.exits(75).says("pending");
    cli.run(&[
        "endpoints",
        "add",
        &receiver.url("/h"),
        "--dev",
        "--tenant",
        "acme",
        "--types",
        "email.*",
    ])
    .await
    .exits(0);
    publish(&client, "acme", "evt_2", "order.paid").await;
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    let done = cli.run(&wait("delivered", "evt_1")).await.exits(0).json();
    assert_eq!((&done["state"], &done["deliveries"]), (&json!("delivered"), &json!(1)));
    cli.run(&wait("fanned-out", "evt_2")).await.exits(0);
    cli.run(&wait("delivered", "evt_2")).await.exits(3);
    terminate(&daemon);
}

#[tokio::test]
async fn a_new_endpoint_gets_what_it_would_have_wanted_or_is_read() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let (cli, client) = (Cli::at(&db), db.client().await);
    for n in 0..5 {
        publish(&client, "default", &format!("evt_{n}"), "email.sent").await;
    }
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    cli.run(&["events", "wait", "evt_4", "--for", "fanned-out"]).await.exits(0);
    let added = [
        "endpoints",
        "add",
        &receiver.url("/h"),
        "--dev",
        "--backfill-since",
        "1h",
        "--backfill-rate",
        "1000",
        "--json",
    ];
    let added = cli.run(&added).await.exits(0).json();
    let job = added["backfill_job"].as_str().unwrap().to_owned();
    publish(&client, "default", "evt_5", "email.sent").await;
    let done = "SELECT count(*) FROM postrider.jobs WHERE state = 'done'";
    while client.query_one(done, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    for n in 0..6 {
        cli.run(&["events", "wait", &format!("evt_{n}"), "--for", "delivered"]).await.exits(0);
    }
    let ids: std::collections::BTreeSet<String> =
        receiver.received().iter().map(|r| r.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), receiver.received().len()), (6, 6));
    let job = cli.run(&["jobs", "show", &job, "--json"]).await.exits(0).json();
    assert_eq!((&job["kind"], &job["made"]), (&json!("backfill"), &json!(5)), "{job}");
    let pull = cli
        .run(&["endpoints", "add", "--pull", "--types", "email.*", "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!((&pull["kind"], &pull["url"]), (&json!("pull"), &Value::Null));
    let id = pull["id"].as_str().unwrap();
    cli.run(&["endpoints", "test", id]).await.exits(2).says("nothing is sent");
    cli.run(&["recover", id, "--since", "1h", "--missed", "--yes"])
        .await
        .exits(2)
        .says("nothing is sent");
    cli.run(&["endpoints", "add", "--pull", "https://example.com/h"]).await.exits(2);
    cli.run(&["endpoints", "add"]).await.exits(2);
    publish(&client, "default", "evt_6", "email.sent").await;
    cli.run(&["events", "wait", "evt_6", "--for", "delivered"]).await.exits(0);
    let owed = "SELECT count(*) FROM postrider.webhook_deliveries WHERE event_seq = (SELECT max(seq) FROM postrider.webhook_events)";
    assert_eq!(client.query_one(owed, &[]).await.unwrap().get::<_, i64>(0), 1);
    terminate(&daemon);
}
