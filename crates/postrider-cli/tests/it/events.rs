//! Events from the command line: published, refused, switched off, found again.

use postrider_testkit::TestDb;
use serde_json::{Value, json};

use crate::support::Cli;

#[tokio::test]
async fn an_event_is_published_once_and_found_again() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let publish = [
        "events",
        "publish",
        "order.paid",
        "--data",
        r#"{"b": 1, "a": 2}"#,
        "--key",
        "1001",
        "--attribute",
        "shop=x",
        "--label",
        "vip",
        "--json",
    ];
    let first = cli.run(&publish).await.exits(0).json();
    assert_eq!(first["outcome"], "inserted");
    // The formula of the contract: SHA-256 of `1001|order.paid`.
    assert_eq!(first["id"], "evt_5183040837844ddf0967ce5f3f1bc40a");
    assert_eq!(cli.run(&publish).await.exits(0).json()["outcome"], "duplicate");
    let other =
        ["events", "publish", "order.paid", "--data", r#"{"b":1}"#, "--key", "1001", "--json"];
    assert_eq!(cli.run(&other).await.exits(1).says("other content").json()["outcome"], "conflict");

    let shown = cli.run(&["events", "show", "evt_5183", "--json"]).await.exits(0).json();
    assert_eq!(shown["state"], "pending");
    assert_eq!(
        (&shown["attributes"], &shown["labels"]),
        (&json!({ "shop": "x" }), &json!(["vip"]))
    );
    let envelope = shown["envelope"].as_str().unwrap();
    assert!(envelope.ends_with(r#""data":{"b": 1, "a": 2}}"#), "byte for byte: {envelope}");

    let stdin = cli
        .run_with_input(
            &["events", "publish", "order.paid", "--tenant", "acme", "--data", "-", "--id", "mine"],
            "[1]",
        )
        .await;
    stdin.exits(0);
    let list = |filter: &'static [&'static str]| {
        let args = [&["events", "list", "--json"], filter].concat();
        let cli = &cli;
        async move { cli.run(&args).await.exits(0).json()["data"].as_array().unwrap().len() }
    };
    assert_eq!(list(&[]).await, 2);
    assert_eq!(list(&["--tenant", "acme"]).await, 1);
    assert_eq!(list(&["--type", "order.*"]).await, 2);
    assert_eq!(list(&["--type", "order.*", "--limit", "1"]).await, 1);
    assert_eq!(list(&["--type", "order"]).await, 0);
    assert_eq!(list(&["--since", "2020-01-01T00:00:00Z"]).await, 2);
    cli.run(&["events", "show", "evt_0000"]).await.exits(5).says("there is no event");
}

#[tokio::test]
async fn an_id_that_several_tenants_have_needs_the_tenant() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for tenant in ["a", "b"] {
        cli.run(&["events", "publish", "order.paid", "--tenant", tenant, "--id", "same"])
            .await
            .exits(0);
    }
    cli.run(&["events", "publish", "order.paid", "--tenant", "a", "--id", "same-and-longer"])
        .await
        .exits(0);
    cli.run(&["events", "show", "same"]).await.exits(2).says("--tenant");
    let shown =
        cli.run(&["events", "show", "same", "--tenant", "a", "--json"]).await.exits(0).json();
    assert_eq!((&shown["id"], &shown["tenant"]), (&json!("same"), &json!("a")));
}

#[tokio::test]
async fn bad_events_are_refused_with_field_and_code_and_nothing_is_written() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let long_type = "a".repeat(129);
    let large = cli.file("large", &format!("\"{}\"", "x".repeat(262_144)));
    let large = format!("@{large}");
    let huge = format!("@{}", cli.file("huge", &" ".repeat(16 * 1024 * 1024 + 1)));
    for (args, said) in [
        (&["email.*"][..], "type: must be dotted words"),
        (&["order paid"], "(event_type.syntax)"),
        (&[&long_type], "(event_type.length)"),
        (&["order.paid", "--tenant", "a b"], "tenant: must be"),
        (&["order.paid", "--id", "with space"], "(id.syntax)"),
        (&["order.paid", "--id", ""], "(id.syntax)"),
        (&["order.paid", "--data", "{"], "(payload.syntax)"),
        (&["order.paid", "--data", "\u{feff}{}"], "(payload.bom)"),
        (&["order.paid", "--data", &large], "(payload.size)"),
        (&["order.paid", "--data", &huge], "data: has more than 16 MiB (payload.size)"),
        (&["order.paid", "--attribute", "x"], "name=value"),
        (&["order.paid", "--label", ""], "(labels.length)"),
        (&["order.paid", "--ordering-key", ""], "(ordering_key.length)"),
        (&["order.paid", "--expires-after", "0s"], "(expires_after.range)"),
        (&["order.paid", "--expires-after", "soon"], "with its unit"),
        (&["order.paid", "--id", "a", "--key", "b"], "cannot be used with"),
        (&["order.paid", "--data", "@/does/not/exist"], "cannot read"),
    ] {
        let args = [&["events", "publish"], args].concat();
        cli.run(&args).await.exits(2).says(said);
    }
    let deep = cli.file("deep", &format!("{}1{}", "[".repeat(65), "]".repeat(65)));
    cli.run(&["events", "publish", "order.paid", "--data", &format!("@{deep}")])
        .await
        .exits(2)
        .says("(payload.depth)");
    let rows =
        db.client().await.query("SELECT FROM postrider.webhook_event_ids", &[]).await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn a_closed_switch_lets_nothing_in() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let publish = |tenant: &'static str, event_type: &'static str| {
        let cli = &cli;
        async move { cli.run(&["events", "publish", event_type, "--tenant", tenant, "--json"]).await }
    };
    cli.run(&["switch", "off", "--tenant", "acme", "--reason", "moving house"]).await.exits(0);
    cli.run(&["switch", "off", "--type", "order.paid"]).await.exits(0);
    let refused = publish("acme", "order.sent").await.exits(1).says("switched off");
    assert_eq!(refused.json()["outcome"], "disabled");
    publish("other", "order.paid").await.exits(1);
    publish("other", "order.sent").await.exits(0);

    let again = cli.run(&["switch", "off", "--tenant", "acme", "--json"]).await.exits(0).json();
    assert_eq!(again["changed"], false);
    let closed = cli.run(&["switch", "list", "--json"]).await.exits(0).json();
    assert_eq!(closed["data"].as_array().unwrap().len(), 2);
    assert_eq!(closed["data"][0]["reason"], "moving house");
    assert!(cli.run(&["status"]).await.exits(0).out.contains("OFF in 2 places"));

    cli.run(&["switch", "on", "--tenant", "acme"]).await.exits(0);
    cli.run(&["switch", "on", "--type", "order.paid"]).await.exits(0);
    publish("acme", "order.paid").await.exits(0);
    cli.run(&["switch", "off"]).await.exits(0);
    publish("acme", "order.paid").await.exits(1);
    assert_eq!(cli.run(&["switch", "on", "--json"]).await.exits(0).json()["changed"], true);
    cli.run(&["switch", "off", "--tenant", "a b"]).await.exits(2).says("tenant.syntax");
    cli.run(&["switch", "off", "--type", "email.*"]).await.exits(2).says("event_type.syntax");
}

#[tokio::test]
async fn failed_events_come_back_to_the_queue() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for id in ["one", "two", "three"] {
        cli.run(&["events", "publish", "order.paid", "--id", id]).await.exits(0);
    }
    // As fan-out does with what it cannot fan out; the body of one is gone by then.
    db.execute(
        "WITH gone AS (DELETE FROM postrider.webhook_events_pending RETURNING seq, created_at)
         INSERT INTO postrider.webhook_events_failed (seq, created_at, attempts, reason, last_error)
         SELECT seq, created_at, 10, 'matching', 'it does not fit' FROM gone;
         DELETE FROM postrider.webhook_events WHERE id = 'three';
         SELECT postrider.record_publish_failure_v1('default', 'four', 'order.paid', '55P03 canceling statement due to lock timeout')",
    )
    .await;
    let listed = cli.run(&["failed", "list", "--json"]).await.exits(0).json();
    assert_eq!(listed["events"].as_array().unwrap().len(), 3);
    assert_eq!(listed["publishes"][0]["id"], "four");
    let table = cli.run(&["failed", "list"]).await.exits(0).out;
    assert!(table.contains("it does not fit") && table.contains("lock timeout"), "{table}");
    assert!(cli.run(&["events", "show", "one"]).await.exits(0).out.contains("failed: matching"));

    assert_eq!(
        cli.run(&["failed", "requeue", "one", "--json"]).await.exits(0).json()["requeued"],
        1
    );
    cli.run(&["failed", "requeue", "one"]).await.exits(5).says("not among the failed");
    let all = cli
        .run(&["failed", "requeue", "--all", "--json"])
        .await
        .exits(3)
        .says("stay failed")
        .json();
    assert_eq!((&all["requeued"], &all["without_body"]), (&json!(1), &json!(1)));
    let shown = cli.run(&["events", "show", "two", "--json"]).await.exits(0).json();
    assert_eq!((&shown["state"], &shown["problem"]), (&json!("pending"), &Value::Null));
    cli.run(&["events", "show", "three"]).await.exits(5).says("retention");
    cli.run(&["failed", "requeue"]).await.exits(2);
}

#[tokio::test]
async fn events_are_listed_sought_and_counted_by_what_they_are() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for (id, event_type, user, plan) in [
        ("e1", "user_signed_up", "u1", "pro"),
        ("e2", "user_signed_up", "u2", "free"),
        ("e3", "order.paid", "u1", "pro"),
        ("e4", "user_signed_up", "u1", "pro"),
    ] {
        let data = format!("{{\"plan\":\"{plan}\"}}");
        let user = format!("user_id={user}");
        cli.run(&[
            "events",
            "publish",
            event_type,
            "--id",
            id,
            "--data",
            &data,
            "--attribute",
            &user,
        ])
        .await
        .exits(0);
    }
    for (args, expected) in [
        (vec!["--type", "user_signed_up"], json!(["e4", "e2", "e1"])),
        (vec!["--type", "user_signed_up", "--order", "asc", "--limit", "2"], json!(["e1", "e2"])),
        (vec!["--distinct-id", "u1"], json!(["e4", "e3", "e1"])),
        (vec!["--attribute", "user_id=u2"], json!(["e2"])),
        (vec!["--state", "failed"], json!([])),
        (vec!["--until", "1h"], json!([])),
    ] {
        let args = [vec!["events", "list", "--json"], args].concat();
        let listed = cli.run(&args).await.exits(0).json();
        let ids: Vec<&Value> =
            listed["data"].as_array().unwrap().iter().map(|event| &event["id"]).collect();
        assert_eq!(json!(ids), expected, "{args:?}");
    }
    cli.run(&["events", "list", "--attribute", "x"]).await.exits(2).says("name=value");

    let yes = cli
        .run(&["events", "exists", "--type", "order.paid", "--distinct-id", "u1", "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!((&yes["exists"], &yes["event_id"]), (&json!(true), &json!("e3")));
    let no = cli
        .run(&["events", "exists", "--type", "order.paid", "--distinct-id", "u2", "--json"])
        .await
        .exits(3)
        .json();
    assert_eq!(no["exists"], false);
    assert_eq!(
        cli.run(&["events", "exists", "--distinct-id", "u2"])
            .await
            .exits(0)
            .out
            .split(' ')
            .take(2)
            .collect::<Vec<_>>(),
        ["yes:", "e2"]
    );

    let stats = [
        "events",
        "stats",
        "--group-by",
        "data.plan",
        "--unique",
        "distinct_id",
        "--type",
        "user_*",
        "--json",
    ];
    cli.run(&stats).await.exits(2).says("event_type.syntax");
    let stats = [
        "events",
        "stats",
        "--group-by",
        "data.plan",
        "--unique",
        "distinct_id",
        "--type",
        "user_signed_up",
        "--json",
    ];
    let counted = cli.run(&stats).await.exits(0).json();
    let expected = json!([{ "key": "pro", "count": 2, "unique": 1 }, { "key": "free", "count": 1, "unique": 1 }]);
    assert_eq!(counted["data"], expected);
    let table = cli.run(&["events", "stats"]).await.exits(0).out;
    assert!(table.contains("user_signed_up") && table.contains("EVENTS"), "{table}");
    cli.run(&["events", "stats", "--group-by", "size"]).await.exits(2).says("attribute.NAME");
}
