//! The life of an endpoint, from the command line.

use postrider_testkit::TestDb;
use serde_json::{Value, json};

use crate::support::Cli;

async fn add(cli: &Cli, more: &[&str]) -> Value {
    let args = [&["endpoints", "add", "https://example.com/h", "--json"], more].concat();
    cli.run(&args).await.exits(0).json()
}

fn id(added: &Value) -> &str {
    added["id"].as_str().expect("an id")
}

#[tokio::test]
async fn an_endpoint_is_added_listed_shown_changed_and_deleted() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let added = add(
        &cli,
        &[
            "--tenant",
            "acme",
            "--types",
            "email.*,order.paid",
            "--filter",
            r#"{"labels":["vip"]}"#,
            "--header",
            "X-Team: blue",
            "--description",
            "the books",
            "--retry-schedule",
            "5s,1m",
            "--timeout",
            "2s",
            "--max-in-flight",
            "3",
            "--metadata",
            r#"{"a":1}"#,
        ],
    )
    .await;
    let id = id(&added);
    assert!(added["secret"].as_str().unwrap().starts_with("whsec_"));

    let shown = cli.run(&["endpoints", "show", id, "--json"]).await.exits(0).json();
    assert_eq!(shown["tenant"], "acme");
    assert_eq!(shown["event_types"], json!(["email.*", "order.paid"]));
    assert_eq!(shown["filter"], json!({ "labels": ["vip"] }));
    assert_eq!(shown["header_names"], json!(["x-team"]));
    assert_eq!(shown["retry_schedule"], json!(["5s", "1m"]));
    assert_eq!((&shown["timeout_ms"], &shown["max_in_flight"]), (&json!(2000), &json!(3)));
    assert_eq!(shown["secrets"].as_array().unwrap().len(), 1);
    assert!(shown.get("secret").is_none());

    // Ids may be shortened as long as they say which one is meant.
    cli.run(&["endpoints", "show", &id[..16]]).await.exits(0);
    let listed =
        cli.run(&["endpoints", "list", "--tenant", "acme", "--json"]).await.exits(0).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        cli.run(&["endpoints", "list", "--tenant", "other", "--json"]).await.json()["data"],
        json!([])
    );

    cli.run(&[
        "endpoints",
        "update",
        id,
        "--description",
        "accounting",
        "--filter",
        "none",
        "--timeout",
        "default",
        "--no-headers",
    ])
    .await
    .exits(0);
    let changed = cli.run(&["endpoints", "show", id, "--json"]).await.json();
    assert_eq!(changed["description"], "accounting");
    assert_eq!(
        (&changed["filter"], &changed["timeout_ms"], &changed["has_headers"]),
        (&Value::Null, &Value::Null, &json!(false))
    );
    // What was not named is as it was.
    for same in ["url", "event_types", "retry_schedule", "max_in_flight", "metadata", "enabled"] {
        assert_eq!(changed[same], shown[same], "{same}");
    }
    cli.run(&["endpoints", "update", id]).await.exits(2).says("nothing to change");

    cli.run(&["endpoints", "disable", id]).await.exits(0);
    let disabled = cli.run(&["endpoints", "show", id, "--json"]).await.json();
    assert_eq!(
        (&disabled["enabled"], &disabled["disabled_reason"]),
        (&json!(false), &json!("by hand"))
    );
    assert_eq!(
        cli.run(&["endpoints", "disable", id, "--json"]).await.exits(0).json()["changed"],
        false
    );
    cli.run(&["endpoints", "test", id]).await.exits(1).says("is disabled").says("endpoints enable");
    cli.run(&["endpoints", "enable", id]).await.exits(0);

    cli.run(&["endpoints", "delete", id]).await.exits(2).says("--yes");
    cli.run(&["endpoints", "delete", id, "--yes"]).await.exits(0);
    cli.run(&["endpoints", "show", id]).await.exits(5).says("there is no endpoint");
    let left = db
        .client()
        .await
        .query("SELECT FROM postrider.webhook_endpoint_secrets", &[])
        .await
        .unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn an_update_does_not_check_again_what_it_does_not_change() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let added = cli
        .run(&["endpoints", "add", "http://127.0.0.1:1234/h", "--dev", "--json"])
        .await
        .exits(0)
        .json();
    // Without --dev that URL would be refused; it is not what changes.
    cli.run(&["endpoints", "update", id(&added), "--description", "still there"]).await.exits(0);
    cli.run(&["endpoints", "update", id(&added), "--url", "http://127.0.0.1:1234/x"])
        .await
        .exits(2)
        .says("--dev");
}

#[tokio::test]
async fn the_secret_is_printed_once_and_found_nowhere_else() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let ran = cli
        .run(&[
            "endpoints",
            "add",
            "https://example.com/h",
            "--header",
            "Authorization: Bearer t0p-hidden",
        ])
        .await
        .exits(0);
    let secret = ran
        .out
        .split_whitespace()
        .find(|word| word.starts_with("whsec_"))
        .expect("it is printed")
        .to_owned();
    assert!(
        ran.err.contains("postrider endpoints test whk_") && !ran.err.contains("whsec_"),
        "{}",
        ran.err
    );

    let id = cli.run(&["endpoints", "list", "--json"]).await.json()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for args in [
        &["endpoints", "list"][..],
        &["endpoints", "list", "--json"],
        &["endpoints", "show", &id],
        &["endpoints", "show", &id, "--json", "-vv"],
        &["status", "--json"],
        &["config", "show"],
    ] {
        let ran = cli.run(args).await;
        for hidden in ["whsec_", "t0p-hidden", crate::support::MASTER_KEY] {
            assert!(
                !ran.out.contains(hidden) && !ran.err.contains(hidden),
                "{args:?} shows {hidden}"
            );
        }
    }
    let key = secret.trim_start_matches("whsec_");
    for row in everything(&db).await {
        for hidden in ["whsec_", key, "t0p-hidden", &hex_of("whsec_"), &hex_of("t0p-hidden")] {
            assert!(!row.contains(hidden), "{hidden} is in {row}");
        }
    }
}

/// Every row of every table of ours, as text.
async fn everything(db: &TestDb) -> Vec<String> {
    let client = db.client().await;
    let tables = client
        .query("SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p')", &[])
        .await
        .unwrap();
    assert!(tables.len() > 10);
    let mut rows = Vec::new();
    for table in &tables {
        let sql = format!("SELECT t::text FROM {} t", table.get::<_, &str>(0));
        rows.extend(
            client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)),
        );
    }
    assert!(!rows.is_empty());
    rows
}

fn hex_of(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_secret_of_ones_own_is_taken_and_not_repeated() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let file = cli.file("secret", secret);
    let ran = cli
        .run(&["endpoints", "add", "https://example.com/h", "--secret-file", &file, "--json"])
        .await
        .exits(0);
    assert!(ran.json()["secret"].is_null() && !ran.err.contains(secret));
    let bad = cli.file("bad", "whsec_c2hvcnQ=");
    cli.run(&["endpoints", "add", "https://example.com/h", "--secret-file", &bad])
        .await
        .exits(2)
        .says("secret.length");
}

#[tokio::test]
async fn what_may_be_a_mistake_is_accepted_with_a_warning() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let add = ["endpoints", "add", "https://example.com/h"];
    let first = cli
        .run(&[&add[..], &["--types", "emial.sent"]].concat())
        .await
        .exits(0)
        .says("emial.sent is not declared");
    assert!(!first.err.contains("same URL"));
    cli.run(&[&add[..], &["--types", "email.sent"]].concat())
        .await
        .exits(0)
        .says("has the same URL");
    let quiet = cli.run(&[&add[..], &["-q"]].concat()).await.exits(0);
    assert_eq!(quiet.err, "");
}

#[tokio::test]
async fn the_limit_of_a_tenant_is_said_clearly() {
    let db = TestDb::new().await;
    db.execute("UPDATE postrider.installation SET max_endpoints_per_tenant = 1").await;
    let cli = Cli::at(&db);
    add(&cli, &[]).await;
    cli.run(&["endpoints", "add", "https://example.com/2"])
        .await
        .exits(1)
        .says("limit of 1 endpoints")
        .says("postrider.installation");
    add(&cli, &["--tenant", "other"]).await;
    let ids =
        cli.run(&["endpoints", "list", "--json"]).await.json()["data"].as_array().unwrap().len();
    assert_eq!(ids, 2);
}

#[tokio::test]
async fn disabling_and_deleting_cancel_what_is_owed() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for (verb, reason) in [("disable", "endpoint_disabled"), ("delete", "endpoint_deleted")] {
        let added = add(&cli, &[]).await;
        // Nobody delivers, so the test event stays owed.
        cli.run(&["endpoints", "test", id(&added), "--timeout", "1s"])
            .await
            .exits(75)
            .says("no worker delivers now");
        let owed = cli.run(&["deliveries", "list", "--status", "pending", "--json"]).await.json();
        assert_eq!(owed["data"].as_array().unwrap().len(), 1);
        let done =
            cli.run(&["endpoints", verb, id(&added), "--yes", "--json"]).await.exits(0).json();
        assert_eq!(done["cancelled"], 1);
        let delivery = owed["data"][0]["id"].as_str().unwrap();
        let closed = cli.run(&["deliveries", "show", delivery, "--json"]).await.exits(0).json();
        assert_eq!((&closed["status"], &closed["reason"]), (&json!("cancelled"), &json!(reason)));
    }
}

#[tokio::test]
async fn an_endpoint_says_in_what_order_it_is_sent_to() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let options = ["--ordering", "key", "--on-failure", "skip:3", "--retry-schedule", "50ms,1s"];
    let added = add(&cli, &options).await;
    let id = id(&added);
    let order = async || {
        let shown = cli.run(&["endpoints", "show", id, "--json"]).await.exits(0).json();
        let text = |name: &str| shown[name].as_str().unwrap().to_owned();
        (text("ordering"), text("on_failure"), shown["retry_schedule"].clone())
    };
    let is = |ordering: &str, on_failure: &str| {
        (ordering.to_owned(), on_failure.to_owned(), json!(["50ms", "1s"]))
    };
    assert_eq!(order().await, is("key", "skip:3"));
    cli.run(&["endpoints", "update", id, "--ordering", "endpoint"]).await.exits(0);
    assert_eq!(order().await, is("endpoint", "skip:3"), "the policy stays");
    cli.run(&["endpoints", "update", id, "--on-failure", "block"]).await.exits(0);
    assert_eq!(order().await, is("endpoint", "block"));
    cli.run(&["endpoints", "update", id, "--ordering", "none"]).await.exits(0);
    assert_eq!(order().await, is("none", "block"));
    let refused = cli.run(&["endpoints", "update", id, "--on-failure", "skip:2"]).await;
    refused.exits(2).says("on_failure");
}
