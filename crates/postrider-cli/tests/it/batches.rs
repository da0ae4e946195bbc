//! Batches, from the command line to what a receiver gets.

use std::time::Duration;

use postrider_testkit::{Behaviour, Receiver, Reply, TestDb};
use serde_json::{Value, json};

use crate::support::{Cli, terminate};

const LIMIT: Duration = Duration::from_secs(30);

async fn shown(cli: &Cli, id: &str) -> Value {
    cli.run(&["endpoints", "show", id, "--json"]).await.exits(0).json()["batch"].clone()
}

#[tokio::test]
async fn batches_are_asked_for_changed_and_given_up() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let add = ["endpoints", "add", "https://example.com/h", "--json"];
    let plain = cli.run(&add).await.exits(0).json();
    assert_eq!(shown(&cli, plain["id"].as_str().unwrap()).await, Value::Null);

    let asked = ["--batch-max-events", "250", "--batch-max-wait", "2500ms"];
    let added = cli.run(&[&add[..], &asked].concat()).await.exits(0).json();
    let id = added["id"].as_str().unwrap();
    let batch = json!({ "max_events": 250, "max_wait_ms": 2500, "max_bytes": 1_048_576, "encoding": "array" });
    assert_eq!(shown(&cli, id).await, batch);
    let text = cli.run(&["endpoints", "show", id]).await.exits(0).out;
    assert!(text.contains("250 events, 2500 ms"), "{text}");

    // What is not named stays.
    let update = ["endpoints", "update", id];
    let more = ["--batch-max-bytes", "65536", "--batch-encoding", "ndjson"];
    cli.run(&[&update[..], &more].concat()).await.exits(0);
    let batch =
        json!({ "max_events": 250, "max_wait_ms": 2500, "max_bytes": 65536, "encoding": "ndjson" });
    assert_eq!(shown(&cli, id).await, batch);

    cli.run(&[&update[..], &["--no-batch", "--ordering", "key"]].concat()).await.exits(0);
    assert_eq!(shown(&cli, id).await, Value::Null);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_field() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let add = ["endpoints", "add", "https://example.com/h"];
    for (option, value, said) in [
        ("--batch-max-events", "0", "batch.max_events: must be 1 to 500 (batch.range)"),
        ("--batch-max-events", "501", "(batch.range)"),
        ("--batch-max-events", "ten", "batch.max_events"),
        ("--batch-max-wait", "61s", "batch.max_wait"),
        ("--batch-max-wait", "5", "with its unit"),
        ("--batch-max-bytes", "1023", "batch.max_bytes: must be 1024 to 4194304"),
        ("--batch-encoding", "csv", "batch.encoding: must be array or ndjson"),
    ] {
        cli.run(&[&add[..], &[option, value]].concat()).await.exits(2).says(said);
    }
    let both = ["--batch-max-events", "5", "--ordering", "key"];
    cli.run(&[&add[..], &both].concat()).await.exits(2).says("batch.ordered");
    let ordered = cli.run(&[&add[..], &["--ordering", "key", "--json"]].concat()).await.exits(0);
    let ordered = ordered.json();
    let update = ["endpoints", "update", ordered["id"].as_str().unwrap()];
    cli.run(&[&update[..], &["--batch-max-events", "5"]].concat())
        .await
        .exits(2)
        .says("batch.ordered");
    let instead = ["--batch-max-events", "5", "--ordering", "none"];
    cli.run(&[&update[..], &instead].concat()).await.exits(0);
}

#[tokio::test]
async fn a_delivery_says_which_batch_it_went_in_and_a_test_goes_alone() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    while cli.run(&["status", "--json"]).await.exits(0).json()["workers"] == json!([]) {}
    let options = ["--batch-max-events", "2", "--batch-max-wait", "1m", "--retry-schedule", "1s"];
    let add = ["endpoints", "add", &receiver.url("/h"), "--dev", "--json"];
    let added = cli.run(&[&add[..], &options].concat()).await.exits(0).json();
    cli.run(&["endpoints", "test", added["id"].as_str().unwrap()]).await.exits(0);
    let test = receiver.wait_for(1, LIMIT).await.remove(0);
    assert_eq!(test.json()["event"], "postrider.test", "no batch, and no minute of waiting");

    let refusal = json!({ "results": [{ "id": "e1", "status": 503 }] }).to_string();
    let steps = vec![Behaviour::Reply(Reply::new(200).body(refusal)), Behaviour::status(200)];
    receiver.behave("/h", Behaviour::Sequence(steps));
    for id in ["e0", "e1"] {
        cli.run(&["events", "publish", "email.sent", "--id", id, "--data", "{}"]).await.exits(0);
    }
    let requests = receiver.wait_for(3, LIMIT).await;
    terminate(&daemon);
    assert_eq!(requests[2].id(), "e1");
    let listed = cli.run(&["deliveries", "list", "--json"]).await.exits(0).json();
    for (event, attempts) in [("e0", 1), ("e1", 2)] {
        let rows = listed["data"].as_array().unwrap();
        let row = rows.iter().find(|row| row["event_id"] == event).unwrap();
        assert_eq!(row["status"], "delivered");
        assert_eq!(row["attempts"], attempts);
        let show = ["deliveries", "show", row["id"].as_str().unwrap(), "--json"];
        let shown = cli.run(&show).await.exits(0).json();
        if event == "e0" {
            assert_eq!(shown["batch"], requests[1].id());
        } else {
            assert_eq!(shown["batch"], Value::Null, "it went alone in the end");
            assert_eq!(shown["attempt_log"][0]["batch"], requests[1].id());
            assert_eq!(shown["attempt_log"][0]["status"], 503);
        }
    }
}
