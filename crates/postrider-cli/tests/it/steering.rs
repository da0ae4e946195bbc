//! Steering from the command line: endpoints paused and going on, tenants, filters tried out, a file applied, the audit log kept elsewhere.

use std::time::Duration;

use postrider_testkit::{Receiver, TestDb};
use serde_json::{Value, json};

use crate::support::{Cli, terminate};

const ONCE: [&str; 5] = ["run", "--once", "--dev", "--admin-listen", "off"];

#[tokio::test]
async fn a_paused_endpoint_gets_nothing_until_it_goes_on() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let url = receiver.url("/hook");
    let added = cli.run(&["endpoints", "add", &url, "--dev", "--json"]).await.exits(0).json();
    let id = added["id"].as_str().unwrap();
    let paused = cli.run(&["endpoints", "pause", id, "--reason", "maintenance"]).await.exits(0);
    assert!(paused.out.contains("what it is owed waits"), "{}", paused.out);
    let again = cli.run(&["endpoints", "pause", id]).await.exits(0);
    assert!(again.out.contains("was paused already"), "{}", again.out);
    cli.run(&["endpoints", "pause", id, "--reason", &"x".repeat(201)])
        .await
        .exits(2)
        .says("reason");
    let shown = cli.run(&["endpoints", "show", id, "--json"]).await.exits(0).json();
    assert_eq!(shown["paused_reason"], "maintenance");
    assert_eq!(shown["enabled"], true);
    cli.run(&["endpoints", "test", id]).await.exits(1).says("is paused");
    let listed = cli.run(&["endpoints", "list"]).await.exits(0);
    assert!(listed.out.contains("paused (maintenance)"), "{}", listed.out);

    cli.run(&["events", "publish", "order.paid", "--key", "1", "--data", "{}"]).await.exits(0);
    // With nothing to do but what waits, a worker that is to run once has done all it can.
    cli.run(&ONCE).await.exits(0);
    assert_eq!(receiver.count(), 0);
    let status = cli.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!(status["deliveries"]["open"], 1, "{status}");
    assert_eq!(status["deliveries"]["due_endpoints"], 0, "{status}");
    assert_eq!(
        (&status["deliveries"]["waiting_endpoints"], &status["endpoints"]["paused"]),
        (&json!(1), &json!(1))
    );
    let resumed = cli.run(&["endpoints", "resume", id]).await.exits(0);
    assert!(resumed.out.contains("goes on"), "{}", resumed.out);
    cli.run(&ONCE).await.exits(0);
    assert_eq!(receiver.count(), 1);
    let again = cli.run(&["endpoints", "resume", id]).await.exits(0);
    assert!(again.out.contains("was not paused"), "{}", again.out);
}

#[tokio::test]
async fn a_running_daemon_obeys_and_lets_go_at_once() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let url = receiver.url("/hook");
    let added = cli.run(&["endpoints", "add", &url, "--dev", "--json"]).await.exits(0).json();
    let id = added["id"].as_str().unwrap();
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    let publish = async |key: &str| {
        cli.run(&["events", "publish", "order.paid", "--key", key, "--data", "{}"]).await.exits(0);
    };
    publish("1").await;
    until(|| receiver.count() == 1).await;
    cli.run(&["endpoints", "pause", id]).await.exits(0);
    for key in ["2", "3", "4"] {
        publish(key).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.count(), 1);
    cli.run(&["endpoints", "resume", id]).await.exits(0);
    until(|| receiver.count() == 4).await;
    terminate(&daemon);
}

async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come true");
}

#[tokio::test]
async fn tenants_are_listed_shown_and_set() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let set = [
        "tenants",
        "set",
        "acme",
        "--max-in-flight",
        "7",
        "--capture-engagement-events",
        "true",
        "--json",
    ];
    let set = cli.run(&set).await.exits(0).json();
    assert_eq!(set["max_in_flight"], 7);
    assert_eq!(set["workflows_config"]["capture_messaging_engagement_events"], true);
    let changed = cli
        .run(&["tenants", "set", "acme", "--max-in-flight", "none", "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!(changed["max_in_flight"], Value::Null);
    assert_eq!(changed["workflows_config"]["capture_messaging_engagement_events"], true);
    let other = cli.run(&["tenants", "show", "nobody", "--json"]).await.exits(0).json();
    assert_eq!(other["workflows_config"]["capture_messaging_engagement_events"], false);
    let url = "https://example.com/h";
    cli.run(&["endpoints", "add", url, "--tenant", "beta"]).await.exits(0);
    let listed = cli.run(&["tenants", "list", "--json"]).await.exits(0).json();
    let ids: Vec<&Value> =
        listed["data"].as_array().unwrap().iter().map(|t| &t["tenant"]).collect();
    assert_eq!(ids, ["acme", "beta"]);
    cli.run(&["tenants", "set", "acme"]).await.exits(2).says("nothing to set");
    cli.run(&["tenants", "set", "acme", "--rate-limit", "0"])
        .await
        .exits(2)
        .says("rate_limit.range");
}

#[tokio::test]
async fn the_audit_log_is_exported_line_by_line_oldest_first() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let fill = "INSERT INTO postrider.audit_log (tenant_id, at, actor, action, subject)
        SELECT CASE WHEN i % 2 = 0 THEN 'acme' ELSE 'beta' END, clock_timestamp() - (3000 - i) * interval '1 min', 'cli:x', 'endpoint.updated', 's' || i
        FROM generate_series(1, 2500) i";
    db.execute(fill).await;
    let exported = cli.run(&["audit", "export"]).await.exits(0).says("2500 changes");
    let lines: Vec<Value> =
        exported.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2500);
    assert_eq!((&lines[0]["subject"], &lines[2499]["subject"]), (&json!("s1"), &json!("s2500")));
    let own = cli.run(&["audit", "export", "--tenant", "acme", "--since", "1000m"]).await.exits(0);
    let subjects: Vec<Value> = own
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["subject"].take())
        .collect();
    assert!((249..=251).contains(&subjects.len()), "{}", subjects.len());
    assert_eq!(subjects.last(), Some(&json!("s2500")));
}

#[tokio::test]
async fn filters_are_tried_out() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for (key, plan) in [("1", "pro"), ("2", "free"), ("3", "pro")] {
        let attribute = format!("plan={plan}");
        cli.run(&[
            "events",
            "publish",
            "order.paid",
            "--key",
            key,
            "--attribute",
            &attribute,
            "--data",
            "{}",
        ])
        .await
        .exits(0);
    }
    let filter = r#"{"attributes":{"plan":["pro"]}}"#;
    let tried = cli
        .run(&["filters", "test", "--filter", filter, "--last", "200", "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!(
        (&tried["looked_at"], &tried["matched"], &tried["missed"]),
        (&json!(3), &json!(2), &json!(1))
    );
    assert_eq!(tried["failed_clauses"], json!({ "/filter/attributes/plan": 1 }));
    let event = r#"{"type":"order.paid","attributes":{"plan":"free"}}"#;
    let missed = cli.run(&["filters", "test", "--filter", filter, "--event", event]).await.exits(3);
    assert!(missed.out.contains("does not match: /filter/attributes/plan"), "{}", missed.out);
    let id = tried["event_ids"][0].as_str().unwrap();
    cli.run(&["filters", "test", "--filter", filter, "--event-id", id]).await.exits(0);
    cli.run(&["filters", "test", "--filter", r#"{"data":{"n":[{"near":1}]}}"#, "--last", "1"])
        .await
        .exits(2)
        .says("/filter/data");
    cli.run(&["filters", "test", "--filter", filter]).await.exits(2);
    cli.run(&["filters", "test", "--last", "1", "--event", event]).await.exits(2);
}

#[tokio::test]
async fn a_file_is_applied_once_and_then_there_is_nothing_to_do() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db).with("HOOK_TOKEN", "t0ken");
    let first = r#"
[tenants.acme]
max_in_flight = 7
workflows_config = { capture_messaging_engagement_events = true }

[endpoints.orders]
tenant_id = "acme"
url = "https://example.com/orders"
event_types = ["order.*"]
filter = { attributes = { plan = ["pro"] } }
headers = { X-Team = "a", X-Key = { env = "HOOK_TOKEN" } }
auth = { type = "bearer", token = { env = "HOOK_TOKEN" } }
metadata = { owner = "shop" }
retry_schedule_ms = [1000, 2000]
batch = { max_events = 10 }

[endpoints.audit]
url = "https://example.com/audit"
secret = { kind = "ed25519" }
enabled = false
"#;
    let file = cli.file("postrider-endpoints.toml", first);
    let planned = cli.run(&["apply", "-f", &file, "--dry-run", "--json"]).await.exits(0).json();
    assert_eq!(planned["steps"].as_array().unwrap().len(), 3, "{planned}");
    let count = "SELECT count(*) FROM postrider.webhook_endpoints";
    let client = db.client().await;
    let number = async || client.query_one(count, &[]).await.unwrap().get::<_, i64>(0);
    assert_eq!(number().await, 0, "a dry run");
    cli.run(&["apply", "-f", &file]).await.exits(2).says("--yes");
    assert_eq!(number().await, 0);

    let done = cli.run(&["apply", "-f", &file, "--yes", "--json"]).await.exits(0).json();
    let created = done["created"].as_array().unwrap();
    assert_eq!(created.len(), 2, "{done}");
    assert!(created[1]["secret"].as_str().unwrap().starts_with("whsec_"), "{done}");
    assert!(created[0]["public_key"].as_str().unwrap().starts_with("whpk_"), "{done}");
    let shown = cli
        .run(&["endpoints", "show", created[1]["id"].as_str().unwrap(), "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!(shown["metadata"], json!({ "name": "orders", "owner": "shop" }));
    assert_eq!(shown["header_names"], json!(["x-key", "x-team"]));
    assert_eq!((&shown["auth"], &shown["batch"]["max_events"]), (&json!("bearer"), &json!(10)));

    let again = cli.run(&["apply", "-f", &file, "--json"]).await.exits(0).json();
    assert_eq!((&again["steps"], &again["unchanged"]), (&json!([]), &json!(3)));

    // What changes is written, and of what goes without --prune nothing is said.
    let second = first
        .replace("order.*\"]", "order.paid\"]")
        .replace("owner = \"shop\"", "owner = \"ops\"")
        .replace("max_in_flight = 7", "max_in_flight = \"none\"")
        .split("[endpoints.audit]")
        .next()
        .unwrap()
        .to_owned();
    let other = cli.with("HOOK_TOKEN", "another");
    let file = other.file("second.toml", &second);
    let planned = other.run(&["apply", "-f", &file, "--dry-run", "--json"]).await.exits(0).json();
    let fields = |step: &Value| step["fields"].clone();
    assert_eq!(fields(&planned["steps"][0]), json!(["max_in_flight"]));
    assert_eq!(fields(&planned["steps"][1]), json!(["event_types", "headers", "metadata", "auth"]));
    other.run(&["apply", "-f", &file, "--yes"]).await.exits(0).says("2 to change");
    assert_eq!(number().await, 2);

    // Pruned is what has a name, of the tenants that the file speaks of.
    let unnamed = "https://example.com/unnamed";
    other.run(&["endpoints", "add", unnamed, "--tenant", "acme"]).await.exits(0);
    let none = other.file("none.json", r#"{"tenants":{"acme":{}}}"#);
    let pruned =
        other.run(&["apply", "-f", &none, "--prune", "--yes", "--json"]).await.exits(0).json();
    assert_eq!(pruned["steps"][0]["action"], "delete");
    assert_eq!(pruned["steps"][0]["name"], "orders");
    assert_eq!(number().await, 2, "the unnamed one, and that of the usual tenant");
}

#[tokio::test]
async fn what_cannot_be_applied_is_named_and_changes_nothing() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for (text, said) in [
        ("[endpoints.a]\nurl = \"ftp://example.com\"\n", "/url"),
        ("[endpoints.a]\ndescription = \"no url\"\n", "url: is required"),
        ("[endpoints.a]\nurl = \"https://example.com/\"\ncolour = \"red\"\n", "/colour"),
        (
            "[endpoints.a]\nurl = \"https://example.com/\"\nauth = { type = \"bearer\", token = \"x\" }\n",
            "auth.token",
        ),
        ("[tenants.acme]\nrate_limit = 0\n", "rate_limit.range"),
        ("[endpoints.a]\nurl = \"http://127.0.0.1/\"\n", "/url"),
    ] {
        let good = "[endpoints.0-good]\nurl = \"https://example.com/good\"\n";
        let file = cli.file("wrong.toml", &format!("{good}{text}"));
        cli.run(&["apply", "-f", &file, "--yes"]).await.exits(2).says(said);
    }
    let listed = cli.run(&["endpoints", "list", "--json"]).await.exits(0).json();
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let cli = Cli::new();
    let page = cli.run(&["man"]).await.exits(0);
    assert!(page.out.contains(".TH") && page.out.contains("postrider"), "{}", page.out);
    let pages = cli.folder.path().join("pages");
    cli.run(&["man", "--dir", &pages.display().to_string()]).await.exits(0);
    for name in
        ["postrider", "postrider-endpoints-pause", "postrider-apply", "postrider-audit-export"]
    {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{name}");
    }
}
