//! What people look at: deliveries, status, and what is removed.

use postrider_testkit::TestDb;
use serde_json::json;

use crate::support::Cli;

/// An endpoint that is owed a test event which nobody delivers.
async fn owed(cli: &Cli) -> (String, String) {
    let added =
        cli.run(&["endpoints", "add", "https://example.com/h", "--json"]).await.exits(0).json();
    let endpoint = added["id"].as_str().unwrap().to_owned();
    cli.run(&["endpoints", "test", &endpoint]).await.exits(75);
    let owed =
        cli.run(&["deliveries", "list", "--endpoint", &endpoint, "--json"]).await.exits(0).json();
    (endpoint, owed["data"][0]["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn deliveries_are_listed_by_endpoint_status_and_tenant() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let (one, _) = owed(&cli).await;
    let (other, delivery) = owed(&cli).await;
    let count = |filter: Vec<&str>| {
        let args: Vec<String> =
            ["deliveries", "list", "--json"].into_iter().chain(filter).map(str::to_owned).collect();
        let cli = &cli;
        async move {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            cli.run(&args).await.exits(0).json()["data"].as_array().unwrap().len()
        }
    };
    assert_eq!(count(vec![]).await, 2);
    assert_eq!(count(vec!["--status", "pending"]).await, 2);
    assert_eq!(count(vec!["--status", "delivered"]).await, 0);
    assert_eq!(count(vec!["--tenant", "nobody"]).await, 0);
    assert_eq!(count(vec!["--endpoint", &one]).await, 1);
    assert_eq!(count(vec!["--limit", "1"]).await, 1);
    assert_eq!(count(vec!["--before", &delivery]).await, 1);
    cli.run(&["endpoints", "disable", &other]).await.exits(0);
    assert_eq!(count(vec!["--status", "cancelled"]).await, 1);
    assert_eq!(count(vec!["--status", "pending", "--endpoint", &other]).await, 0);
    cli.run(&["deliveries", "list", "--status", "done"]).await.exits(2).says("expected one of");
}

#[tokio::test]
async fn a_retry_makes_an_open_delivery_due_but_takes_none_from_its_worker() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let (endpoint, delivery) = owed(&cli).await;
    let due = cli.run(&["deliveries", "retry", &delivery, "--json"]).await.exits(0).json();
    assert_eq!(due["changed"], false, "it is due already");

    let open = "UPDATE postrider.webhook_deliveries_open SET next_attempt_at = clock_timestamp() + interval '1 hour'";
    db.execute(open).await;
    assert_eq!(
        cli.run(&["deliveries", "retry", &delivery, "--json"]).await.exits(0).json()["changed"],
        true
    );
    let shown = cli.run(&["deliveries", "show", &delivery, "--json"]).await.exits(0).json();
    assert_eq!((&shown["status"], &shown["leased"]), (&json!("pending"), &json!(false)));

    db.execute(&format!("{open}, lease_owner = 7, lease_no = 1")).await;
    let held = cli.run(&["deliveries", "retry", &delivery]).await.exits(0);
    assert!(held.out.contains("a worker holds it"), "{}", held.out);
    let row = db.client().await.query_one("SELECT lease_no, next_attempt_at > clock_timestamp() FROM postrider.webhook_deliveries_open", &[]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (1, true));

    db.execute(&format!("{open}, lease_owner = NULL")).await;
    cli.run(&["endpoints", "disable", &endpoint]).await.exits(0);
    cli.run(&["deliveries", "retry", &delivery]).await.exits(1).says("disabled or deleted");
    cli.run(&["deliveries", "retry", "whd_00000000000000000000000000000000"]).await.exits(5);
    cli.run(&["deliveries", "show", "whk_0"]).await.exits(2).says("no delivery id");
}

#[tokio::test]
async fn an_event_is_shown_with_its_deliveries_alone() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    owed(&cli).await;
    let (_, delivery) = owed(&cli).await;
    let event = cli.run(&["deliveries", "show", &delivery, "--json"]).await.json()["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = cli.run(&["events", "show", &event, "--json"]).await.exits(0).json();
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(shown["deliveries"][0]["id"], delivery.as_str());
    assert_eq!((&shown["type"], &shown["state"]), (&json!("postrider.test"), &json!("fanned_out")));
    assert!(shown["expires_at"].is_string());
}

#[tokio::test]
async fn status_counts_what_waits() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let empty = cli.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!(
        (&empty["events"]["pending"], &empty["deliveries"]["open"], &empty["workers"]),
        (&json!(0), &json!(0), &json!([]))
    );
    assert!(empty["partitions"].as_array().unwrap().iter().all(|table| table["has_tail"] == true));

    owed(&cli).await;
    cli.run(&["events", "publish", "order.paid"]).await.exits(0);
    let now = cli.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!(
        (&now["events"]["pending"], &now["deliveries"]["open"], &now["endpoints"]["total"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert!(now["events"]["oldest_pending_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(now["deliveries"]["due_endpoints"], 1);
    let text = cli.run(&["status"]).await.exits(0).out;
    assert!(text.contains("1 waiting for fan-out") && text.contains("0 alive"), "{text}");
}

#[tokio::test]
async fn what_waits_for_its_endpoint_is_not_overdue() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for _ in 0..3 {
        owed(&cli).await;
    }
    // One fails, one asked for a pause, and one had a pause that is over.
    db.execute(
        "INSERT INTO postrider.webhook_endpoint_health (endpoint_id, circuit, next_probe_at, first_failure_at, paused_until)
         SELECT e.id, CASE n WHEN 1 THEN 'open' ELSE 'closed' END, clock_timestamp(), clock_timestamp(),
                clock_timestamp() + CASE n WHEN 2 THEN interval '1 hour' WHEN 3 THEN interval '-1 hour' END
         FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM postrider.webhook_endpoints) e",
    )
    .await;
    let now = cli.run(&["status", "--json"]).await.exits(0).json();
    let deliveries = &now["deliveries"];
    assert_eq!(
        (&deliveries["open"], &deliveries["due_endpoints"]),
        (&json!(3), &json!(1)),
        "{now}"
    );
    assert_eq!(deliveries["waiting_endpoints"], 2, "{now}");
    let text = cli.run(&["status"]).await.exits(0).out;
    assert!(text.contains("1 endpoints have deliveries due"), "{text}");
    assert!(text.contains("those of 2 wait until their endpoint is well"), "{text}");
    db.execute(
        "DELETE FROM postrider.webhook_deliveries_open o USING postrider.webhook_endpoint_health h
                WHERE h.endpoint_id = o.endpoint_id AND h.paused_until < clock_timestamp()",
    )
    .await;
    let now = cli.run(&["status", "--json"]).await.exits(0).json();
    assert_eq!(now["deliveries"]["due_lag_seconds"], 0.0, "{now}");
}

#[tokio::test]
async fn prune_asks_first_and_counts() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    cli.run(&["prune"]).await.exits(2).says("--yes");
    let dry = cli.run(&["prune", "--dry-run", "--json"]).await.exits(0).json();
    assert_eq!((&dry["dry_run"], &dry["events"]), (&json!(true), &json!(0)));
    let done = cli.run(&["prune", "--yes", "--json"]).await.exits(0).json();
    assert_eq!(
        (&done["dry_run"], &done["ledger"], &done["event_ids"]),
        (&json!(false), &json!(null), &json!(0))
    );
}

#[tokio::test]
async fn version_and_completions_need_nothing() {
    let cli = Cli::new();
    let version = cli.run(&["version", "--json"]).await.exits(0).json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(cli.run(&["completions", shell]).await.exits(0).out.contains("endpoints"));
    }
    assert!(cli.run(&["--help"]).await.exits(0).out.contains("78  the configuration is wrong"));
    cli.run(&["nonsense"]).await.exits(2);
    cli.run(&[]).await.exits(2);
}
