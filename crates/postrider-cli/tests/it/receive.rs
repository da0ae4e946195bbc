//! Receivers' tools: sign, verify, sink.

use std::time::Duration;

use postrider_testkit::TestDb;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::{Cli, finished};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

fn header(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

#[tokio::test]
async fn what_sign_signs_verify_accepts_and_says_why_not_otherwise() {
    let cli = Cli::new();
    let (secret, other) = (cli.file("secret", SECRET), cli.file("other", OTHER));
    let body = r#"{"a": 1}"#;
    let signed = cli
        .run_with_input(&["sign", "--id", "evt_1", "--secret-file", &secret], body)
        .await
        .exits(0)
        .out;
    let (timestamp, signature) =
        (header(&signed, "webhook-timestamp"), header(&signed, "webhook-signature"));
    let verify =
        |id: &'static str, timestamp: &str, signature: &str, secret: &str, body: &'static str| {
            let args = [
                "verify",
                "--id",
                id,
                "--timestamp",
                timestamp,
                "--signature",
                signature,
                "--secret-file",
                secret,
            ]
            .map(str::to_owned);
            let cli = &cli;
            async move { cli.run_with_input(&args.each_ref().map(String::as_str), body).await }
        };
    verify("evt_1", &timestamp, &signature, &secret, r#"{"a": 1}"#).await.exits(0);
    // The secrets may overlap: one of several is enough.
    verify("evt_1", &timestamp, &format!("v1,AAAA {signature}"), &secret, r#"{"a": 1}"#)
        .await
        .exits(0);
    let old = "1000000000";
    let no_signature = "v2,x";
    for (ran, why) in [
        (
            verify("evt_2", &timestamp, &signature, &secret, r#"{"a": 1}"#).await,
            "no v1 signature matches",
        ),
        (verify("evt_1", &timestamp, &signature, &other, r#"{"a": 1}"#).await, "another secret"),
        (verify("evt_1", old, &signature, &secret, r#"{"a": 1}"#).await, "too old"),
        (verify("evt_1", "soon", &signature, &secret, r#"{"a": 1}"#).await, "not a whole number"),
        (
            verify("evt_1", &timestamp, no_signature, &secret, r#"{"a": 1}"#).await,
            "holds no v1 signature",
        ),
        (
            verify("evt_1", &timestamp, &signature, &secret, "{\"a\": 1}\n").await,
            "without the last line break",
        ),
        (
            verify("evt_1", &timestamp, &signature, &secret, r#"{"a":2}"#).await,
            "no v1 signature matches",
        ),
    ] {
        let ran = ran.exits(3).says("not verified").says(why);
        assert!(!ran.err.contains("MDEy"));
    }
    let compact = cli
        .run_with_input(
            &["sign", "--id", "evt_1", "--secret-file", &secret, "--timestamp", &timestamp],
            r#"{"a":1}"#,
        )
        .await
        .exits(0)
        .out;
    verify("evt_1", &timestamp, &header(&compact, "webhook-signature"), &secret, r#"{"a": 1}"#)
        .await
        .exits(3)
        .says("white space is removed");
    cli.run(&["sign", "--id", "x"]).await.exits(2).says("there is no secret");
    let json = cli
        .with("POSTRIDER_SECRET", SECRET)
        .run_with_input(&["sign", "--id", "evt_1", "--json"], body)
        .await
        .exits(0)
        .json();
    assert!(json["webhook-signature"].as_str().unwrap().starts_with("v1,"));
}

/// Starts a sink; its port and its further lines.
async fn sink(cli: &Cli, args: &[&str]) -> (tokio::process::Child, u16) {
    let args = [&["sink", "--port", "0"], args].concat();
    let mut child = cli.start(&args);
    let mut line = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
    while !line.contains("listening on") {
        line.clear();
        assert!(
            lines.read_line(&mut line).await.expect("stderr can be read") > 0,
            "the sink ended early"
        );
    }
    let port = line
        .trim_end()
        .rsplit(':')
        .next()
        .and_then(|rest| rest.split('/').next())
        .and_then(|port| port.parse().ok());
    (child, port.expect("it says its port"))
}

/// Posts a body as it is; the status of the answer.
async fn post(port: u16, headers: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "POST /hook HTTP/1.1\r\nHost: sink\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status in {answer:?}"))
}

async fn signed(cli: &Cli, id: &str, body: &str) -> String {
    let secret = cli.file("secret", SECRET);
    cli.run_with_input(&["sign", "--id", id, "--secret-file", &secret], body)
        .await
        .exits(0)
        .out
        .replace('\n', "\r\n")
}

#[tokio::test]
async fn a_sink_counts_verified_events_and_fails_on_purpose() {
    let cli = Cli::new().with("POSTRIDER_SINK_SECRET", SECRET);
    let (child, port) =
        sink(&cli, &["--fail-first", "1", "--expect", "2", "--timeout", "60s"]).await;
    let body = r#"{"event":"order.paid","id":"evt_1","created_at":"x","data":{}}"#;
    let one = signed(&cli, "evt_1", body).await;
    assert_eq!(post(port, &one, body).await, 503, "the first one fails");
    assert_eq!(post(port, &one, body).await, 204);
    assert_eq!(post(port, &one, body).await, 204, "the same event counts once");
    assert_eq!(post(port, &one, &body.replace("paid", "sent")).await, 401, "a changed body");
    assert_eq!(post(port, "webhook-id: evt_\u{1b}[2J\r\n", body).await, 400, "no header");
    let two = signed(&cli, "evt_2", body).await;
    assert_eq!(post(port, &two, body).await, 204);
    let args = ["sink"];
    let ran = finished(child, &args).await.exits(0);
    assert_eq!(ran.out.lines().count(), 5, "{}", ran.out);
    assert!(
        ran.out.contains("evt_1  order.paid")
            && ran.out.contains("signature refused: no v1 signature matches"),
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn a_sink_gives_up_in_time_and_can_hang() {
    let cli = Cli::new();
    let ran = cli
        .run(&["sink", "--port", "0", "--secret", SECRET, "--expect", "1", "--timeout", "300ms"])
        .await
        .exits(75);
    assert!(ran.err.contains("0 of 1 expected events"));
    cli.run(&["sink", "--port", "0", "--expect", "1"]).await.exits(2).says("there is no secret");

    let (child, port) = sink(&cli, &["--hang", "--json"]).await;
    let hanging =
        tokio::time::timeout(Duration::from_millis(500), post(port, "webhook-id: evt_1\r\n", "{}"))
            .await;
    assert!(hanging.is_err(), "it answered {hanging:?}");
    drop(child);
    let (child, port) =
        sink(&cli, &["--status", "410", "--path", "/hook", "--delay", "50ms"]).await;
    assert_eq!(post(port, "", "{}").await, 410);
    drop(child);
}

#[tokio::test]
async fn a_test_event_is_delivered_to_its_endpoint_alone() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db).with("POSTRIDER_SINK_SECRET", SECRET);
    let (child, port) = sink(&cli, &["--expect", "1", "--timeout", "60s"]).await;
    let secret = cli.file("secret", SECRET);
    let url = format!("http://127.0.0.1:{port}/hook");
    let add = ["endpoints", "add", &url, "--dev", "--secret-file", &secret, "--json"];
    let endpoint = cli.run(&add).await.exits(0).json()["id"].as_str().unwrap().to_owned();
    // Another one that wants everything, and whose test this is not.
    cli.run(&["endpoints", "add", "http://127.0.0.1:1234/hook", "--dev", "--tenant", "default"])
        .await
        .exits(0);
    let args = ["run", "--dev", "--admin-listen", "off"];
    let daemon = cli.start(&args);
    wait_for_worker(&cli).await;

    assert!(cli.run(&["status"]).await.exits(0).out.contains("--dev"));
    let tested = cli.run(&["endpoints", "test", &endpoint, "--json"]).await.exits(0).json();
    assert_eq!(
        (&tested["delivered"], &tested["http_status"]),
        (&serde_json::json!(true), &serde_json::json!(204))
    );
    let arrived = finished(child, &["sink"]).await.exits(0);
    assert!(
        arrived.out.contains("postrider.test") && arrived.out.contains("signature verified"),
        "{}",
        arrived.out
    );
    let all = cli.run(&["deliveries", "list", "--json"]).await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 1, "{all}");

    // The receiver is gone now: the test says so.
    let failed = cli.run(&["endpoints", "test", &endpoint, "--json"]).await.exits(3).json();
    assert_eq!(
        (&failed["delivered"], &failed["error"]),
        (&serde_json::json!(false), &serde_json::json!("connect"))
    );
    crate::support::terminate(&daemon);
    finished(daemon, &args).await.exits(0);
}

async fn wait_for_worker(cli: &Cli) {
    for _ in 0..200 {
        let status = cli.run(&["status", "--json"]).await.exits(0).json();
        if status["workers"]
            .as_array()
            .is_some_and(|workers| workers.iter().any(|worker| worker["alive"] == true))
        {
            return;
        }
    }
    panic!("no worker came up");
}
