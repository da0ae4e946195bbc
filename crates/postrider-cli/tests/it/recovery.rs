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

/// Publishes events e<from>… in one tenant.
async fn publish(db: &TestDb, from: i32, to: i32, event_type: &str) {
    let sql = "SELECT postrider.publish_v1('default', 'e' || i, $3, '{\"n\":1}', NULL, NULL, NULL, NULL, NULL, true) FROM generate_series($1::integer, $2::integer) i";
    db.client().await.execute(sql, &[&from, &to, &event_type]).await.unwrap();
}

#[tokio::test]
async fn what_an_endpoint_failed_to_get_or_missed_is_sent_once_each() {
    let (db, receiver) = (TestDb::new().await, Receiver::answering([500]).await);
    let cli = Cli::at(&db);
    let add = [
        "endpoints",
        "add",
        &receiver.url("/h"),
        "--dev",
        "--types",
        "email.*",
        "--retry-schedule",
        "1ms",
        "--json",
    ];
    let endpoint = cli.run(&add).await.exits(0).json()["id"].as_str().unwrap().to_owned();
    // Two kinds of trouble: refused for good, and published while it was disabled.
    publish(&db, 1, 3, "email.sent").await;
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    let client = db.client().await;
    let count = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    while count(
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'exhausted'",
    )
    .await
        < 3
    {}
    cli.run(&["endpoints", "disable", &endpoint]).await.exits(0);
    publish(&db, 4, 10, "email.sent").await;
    publish(&db, 11, 12, "order.paid").await;
    while count("SELECT count(*) FROM postrider.webhook_events_pending").await > 0 {}
    receiver.behave("/h", postrider_testkit::Behaviour::status(200));

    let dry =
        cli.run(&["recover", &endpoint, "--since", "1h", "--dry-run", "--json"]).await.exits(0);
    assert_eq!(dry.json(), json!({ "endpoint": endpoint, "expected": 3, "job": null }));
    let recover = ["recover", &endpoint, "--since", "1h", "--missed"];
    cli.run(&[&recover[..], &["--yes"]].concat()).await.exits(1).says("is disabled");
    cli.run(&["endpoints", "enable", &endpoint]).await.exits(0);
    cli.run(&recover).await.exits(2).says("send 10 events").says("--yes");
    let before = receiver.count();
    let done = cli
        .run(&[&recover[..], &["--yes", "--wait", "--reason", "outage", "--json"]].concat())
        .await
        .exits(0)
        .json();
    assert_eq!(
        (&done["state"], &done["made"], &done["expected"]),
        (&json!("done"), &json!(10), &json!(10))
    );
    receiver.wait_for(before + 10, LIMIT).await;
    while count("SELECT count(*) FROM postrider.webhook_deliveries_open").await > 0 {}
    assert_eq!(count("SELECT count(DISTINCT event_seq) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'").await, 10);
    // Nothing is left to do, and nothing is done twice.
    cli.run(&[&recover[..], &["--yes"]].concat()).await.exits(0).says("");
    assert_eq!(receiver.count(), before + 10);
    let listed = cli.run(&["jobs", "list", "--json"]).await.exits(0).json();
    assert_eq!(
        (listed["data"].as_array().unwrap().len(), &listed["data"][0]["reason"]),
        (1, &json!("outage"))
    );
    let audit =
        cli.run(&["audit", "list", "--action", "job.created", "--json"]).await.exits(0).json();
    assert!(audit["data"][0]["actor"].as_str().unwrap().starts_with("cli:"), "{audit}");
    terminate(&daemon);
}

#[tokio::test]
async fn a_job_keeps_its_pace_stops_when_asked_and_outlives_a_killed_worker() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let add = ["endpoints", "add", &receiver.url("/h"), "--dev", "--json"];
    publish(&db, 1, 300, "email.sent").await;
    let mut daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    let client = db.client().await;
    let count = async |sql: &str| client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    while count("SELECT count(*) FROM postrider.webhook_events_pending").await > 0 {}
    let endpoint = cli.run(&add).await.exits(0).json()["id"].as_str().unwrap().to_owned();
    let recover =
        ["recover", &endpoint, "--since", "1h", "--missed", "--rate", "20", "--yes", "--json"];
    let job = cli.run(&recover).await.exits(0).json()["job"].as_str().unwrap().to_owned();
    let made = "SELECT made FROM postrider.jobs";
    while count(made).await < 20 {}
    daemon.start_kill().unwrap();
    daemon.wait().await.unwrap();
    // Another worker goes on from there, once the job is nobody's any more.
    client
        .batch_execute("UPDATE postrider.jobs SET owned_until = clock_timestamp()")
        .await
        .unwrap();
    let (begun, from) = (std::time::Instant::now(), count(made).await);
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    while count(made).await < from + 60 {}
    assert!(
        begun.elapsed() > Duration::from_secs(2),
        "sixty at twenty a second: {:?}",
        begun.elapsed()
    );
    let stopped = cli.run(&["jobs", "stop", &job, "--json"]).await.exits(0).json();
    assert_eq!(stopped["changed"], true);
    while count("SELECT count(*) FROM postrider.jobs WHERE state = 'stopped'").await == 0 {}
    let made_in_all = count(made).await;
    assert!((60..300).contains(&made_in_all), "{made_in_all}");
    // The rest is owed by another job, and nothing twice.
    let rest = [
        "recover", &endpoint, "--since", "1h", "--missed", "--rate", "1000", "--yes", "--wait",
        "--json",
    ];
    assert_eq!(cli.run(&rest).await.exits(0).json()["made"], 300 - made_in_all);
    while count(
        "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'",
    )
    .await
        < 300
    {}
    assert_eq!(
        count("SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE replay > 0").await,
        0
    );
    terminate(&daemon);
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
