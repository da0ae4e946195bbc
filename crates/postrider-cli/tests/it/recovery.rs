//! Putting deliveries right by hand, why an event went where it went, and who changed what.

use std::time::Duration;

use postrider_testkit::{Receiver, TestDb};
use serde_json::{Value, json};

use crate::support::{Cli, terminate};

const LIMIT: Duration = Duration::from_secs(30);
const ONCE: [&str; 5] = ["run", "--once", "--dev", "--admin-listen", "off"];

/// An endpoint at the receiver, and an event that was delivered to it. Their ids, and the delivery's.
async fn delivered(cli: &Cli, receiver: &Receiver) -> (String, String) {
    let add = ["endpoints", "add", &receiver.url("/h"), "--dev", "--json"];
    let endpoint = cli.run(&add).await.exits(0).json()["id"].as_str().unwrap().to_owned();
    cli.run(&["events", "publish", "email.sent", "--id", "evt_1", "--data", "{}"]).await.exits(0);
    cli.run(&ONCE).await.exits(0);
    (endpoint, newest(cli).await["id"].as_str().unwrap().to_owned())
}

async fn newest(cli: &Cli) -> Value {
    let listed = cli.run(&["deliveries", "list", "--json"]).await.exits(0).json();
    let rows = listed["data"].as_array().unwrap();
    rows.iter().max_by_key(|row| row["replay"].as_i64()).unwrap().clone()
}

#[tokio::test]
async fn a_closed_delivery_is_sent_once_more_with_the_same_id_and_harms_nobodys_health() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let (endpoint, delivery) = delivered(&cli, &receiver).await;
    let again = cli.run(&["deliveries", "retry", &delivery, "--json"]).await.exits(0).json();
    assert_eq!(again["data"][0]["replay"], 1);
    cli.run(&ONCE).await.exits(0);
    let requests = receiver.wait_for(2, LIMIT).await;
    assert_eq!(requests[0].id(), requests[1].id());
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(newest(&cli).await["status"], "delivered");

    // Once more, refused ten times: what is sent again says nothing of the endpoint.
    receiver.behave("/h", postrider_testkit::Behaviour::status(500));
    cli.run(&[
        "endpoints",
        "update",
        &endpoint,
        "--retry-schedule",
        "1ms,1ms,1ms,1ms,1ms,1ms,1ms,1ms,1ms,1ms,1ms",
    ])
    .await
    .exits(0);
    let told = cli
        .run(&["events", "redeliver", "evt_1", "--endpoint", &endpoint, "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!(told["data"][0]["replay"], 2);
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    while newest(&cli).await["status"] == "pending" {}
    terminate(&daemon);
    assert_eq!(newest(&cli).await["status"], "exhausted");
    let client = db.client().await;
    let unwell = "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit <> 'closed' OR consecutive_failures > 0";
    assert_eq!(client.query_one(unwell, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn an_open_delivery_is_cancelled_and_a_closed_one_is_not() {
    let (db, receiver) = (TestDb::new().await, Receiver::answering([500]).await);
    let cli = Cli::at(&db);
    let add = ["endpoints", "add", &receiver.url("/h"), "--dev", "--retry-schedule", "1h"];
    cli.run(&add).await.exits(0);
    cli.run(&["events", "publish", "email.sent", "--data", "{}"]).await.exits(0);
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    receiver.wait_for(1, LIMIT).await;
    terminate(&daemon);
    let id = loop {
        let row = newest(&cli).await;
        if row["attempts"] == 1 && row["leased"] == false {
            break row["id"].as_str().unwrap().to_owned();
        }
    };
    cli.run(&["deliveries", "cancel", &id]).await.exits(0).says("");
    let row = newest(&cli).await;
    assert_eq!((&row["status"], &row["reason"]), (&json!("cancelled"), &json!("by_hand")));
    cli.run(&["deliveries", "cancel", &id])
        .await
        .exits(1)
        .says("was not cancelled: cancelled: by_hand");
}

#[tokio::test]
async fn what_cannot_be_sent_again_says_why() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let (endpoint, delivery) = delivered(&cli, &receiver).await;
    cli.run(&["endpoints", "disable", &endpoint]).await.exits(0);
    cli.run(&["deliveries", "retry", &delivery]).await.exits(1).says("disabled or deleted");
    cli.run(&["events", "redeliver", "evt_none"]).await.exits(5).says("there is no event evt_none");
    cli.run(&[
        "events",
        "publish",
        "email.opened",
        "--id",
        "evt_2",
        "--tenant",
        "other",
        "--data",
        "{}",
    ])
    .await
    .exits(0);
    cli.run(&["events", "redeliver", "evt_2"]).await.exits(1).says("postrider explain evt_2");
    cli.run(&["events", "redeliver", "evt_2", "--endpoint", &endpoint])
        .await
        .exits(2)
        .says("another tenant's");
}

#[tokio::test]
async fn explain_names_every_endpoint_and_its_reason() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let other = cli
        .run(&["endpoints", "add", "https://example.com/h", "--types", "order.*", "--json"])
        .await
        .exits(0)
        .json();
    let (endpoint, delivery) = delivered(&cli, &receiver).await;
    let told = cli.run(&["explain", "evt_1", "--json"]).await.exits(0).json();
    let verdict =
        |id: &str| told["data"].as_array().unwrap().iter().find(|v| v["endpoint"] == id).unwrap();
    assert_eq!(verdict(&endpoint)["reason"], "matched");
    assert_eq!(verdict(&endpoint)["deliveries"][0]["id"], delivery.as_str());
    let other = verdict(other["id"].as_str().unwrap());
    assert_eq!(other["reason"], "type");
    assert_eq!(other["detail"], "email.sent is none of the event types asked for");
    let text = cli.run(&["explain", "evt_1"]).await.exits(0).out;
    assert!(
        text.contains("none of the event types asked for") && text.contains(&delivery),
        "{text}"
    );
}

#[tokio::test]
async fn keys_are_shown_once_and_every_change_is_in_the_log() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db).with("USER", "o'hara");
    let made = cli
        .run(&[
            "api-keys",
            "create",
            "ci",
            "--tenant",
            "acme",
            "--scope",
            "read,publish",
            "--expires-in",
            "30d",
            "--json",
        ])
        .await
        .exits(0)
        .json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(key.starts_with("prk_") && key.len() == 47, "{key}");
    assert_eq!(made["scopes"], json!(["read", "publish"]));
    let listed = cli.run(&["api-keys", "list", "--json"]).await.exits(0);
    assert!(!listed.out.contains(key) && listed.out.contains(&key[43..]), "{}", listed.out);
    assert_eq!(listed.json()["data"][0]["state"], "live");
    cli.run(&["api-keys", "revoke", id]).await.exits(0);
    cli.run(&["api-keys", "revoke", id]).await.exits(5);
    cli.run(&["api-keys", "create", "x"]).await.exits(2).says("--tenant");
    cli.run(&["api-keys", "create", "x", "--tenant", "a b"]).await.exits(2).says("tenant.syntax");
    cli.run(&["api-keys", "create", "x", "--admin", "--scope", "all"])
        .await
        .exits(2)
        .says("read, write or publish");

    let log = cli.run(&["audit", "list", "--json"]).await.exits(0);
    let entries = log.json()["data"].as_array().unwrap().clone();
    let actions: Vec<&str> =
        entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["api_key.updated", "api_key.created"]);
    assert!(entries.iter().all(|entry| entry["actor"] == "cli:o'hara" && entry["subject"] == id));
    assert!(!log.out.contains(key));
    let page = cli.run(&["audit", "list", "--limit", "1", "--json"]).await.exits(0).json();
    let before = page["next_cursor"].to_string();
    let next = cli.run(&["audit", "list", "--before", &before, "--json"]).await.exits(0).json();
    assert_eq!(next["data"][0]["action"], "api_key.created");
    let text = cli.run(&["audit", "list", "--tenant", "acme"]).await.exits(0).out;
    assert!(text.contains("cli:o'hara") && text.contains("revoked_at"), "{text}");
}

#[tokio::test]
async fn the_daemon_answers_at_its_api_address() {
    let db = TestDb::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let cli = Cli::at(&db).with("POSTRIDER_API_LISTEN", &address);
    let key = cli.run(&["api-keys", "create", "x", "--admin", "--json"]).await.exits(0).json();
    let daemon = cli.start(&["run", "--admin-listen", "off"]);
    let request = format!(
        "GET /api/v1/endpoints HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        key["key"].as_str().unwrap()
    );
    let begun = std::time::Instant::now();
    let answer = loop {
        assert!(begun.elapsed() < LIMIT, "nothing answers");
        let address = address.clone();
        let request = request.clone();
        let asked = tokio::task::spawn_blocking(move || {
            use std::io::{Read as _, Write as _};
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        });
        match asked.await.unwrap() {
            Ok(answer) => break answer,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"has_more\":false"),
        "{answer}"
    );
    terminate(&daemon);
}
