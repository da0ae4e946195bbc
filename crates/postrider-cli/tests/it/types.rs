//! The catalog from the command line: declared, imported, written in programming languages, and what it does to publishing.

use postrider_testkit::TestDb;
use serde_json::json;

use crate::support::Cli;

const SCHEMA: &str = r#"{"type":"object","required":["user"],"properties":{"user":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}},"tags":{"type":"array","items":{"type":"string"}}}}"#;
const EXAMPLE: &str = r#"{"user": {"id": 1}, "tags": ["a"]}"#;

async fn declared(cli: &Cli) {
    let set = [
        "types",
        "set",
        "user.made",
        "--description",
        "somebody signed up",
        "--schema",
        SCHEMA,
        "--example",
        EXAMPLE,
        "--check",
        "enforce",
    ];
    let done = cli.run(&[&set[..], &["--json"]].concat()).await.exits(0).json();
    assert_eq!((&done["change"], &done["declared"]), (&json!("added"), &json!(true)));
}

#[tokio::test]
async fn a_type_is_set_shown_listed_and_deleted() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    declared(&cli).await;
    let again = cli
        .run(&["types", "set", "user.made", "--description", "signed up", "--json"])
        .await
        .exits(0)
        .json();
    assert_eq!(
        (&again["change"], &again["schema_check"]),
        (&json!("changed"), &json!("enforce")),
        "what is not named stays"
    );
    cli.run(&["types", "set", "user.made", "--description", "signed up"]).await.exits(0);
    let shown = cli.run(&["types", "show", "user.made"]).await.exits(0);
    assert!(shown.out.contains(EXAMPLE) && shown.out.contains("enforce"), "{}", shown.out);
    let listed = cli.run(&["types", "list", "--json"]).await.exits(0).json();
    assert_eq!(
        (&listed["data"][0]["name"], &listed["data"][0]["has_schema"]),
        (&json!("user.made"), &json!(true))
    );
    let cleared =
        cli.run(&["types", "set", "user.made", "--no-schema", "--json"]).await.exits(0).json();
    assert_eq!((&cleared["schema_check"], &cleared["schema"]), (&json!("off"), &json!(null)));
    cli.run(&["types", "delete", "user.made"]).await.exits(2).says("--yes");
    cli.run(&["types", "delete", "user.made", "--yes"]).await.exits(0);
    cli.run(&["types", "show", "user.made"])
        .await
        .exits(5)
        .says("there is no event type user.made");
    let audit = cli.run(&["audit", "list", "--json"]).await.exits(0).json();
    assert_eq!(audit["data"][0]["action"], "event_type.deleted");
}

#[tokio::test]
async fn what_is_wrong_with_a_type_is_said_with_its_place() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for (args, said) in [
        (&["user..made"][..], "event_type.syntax"),
        (&["a", "--schema", "{"], "schema: is not JSON"),
        (&["a", "--schema", r#"{"properties":{"x":{"type":"y"}}}"#], "schema/properties/x/type: "),
        (&["a", "--schema", r#"{"$ref":"https://schemas.example/a"}"#], "schema/$ref: "),
        (&["a", "--check", "enforce"], "there is no schema to check against"),
        (
            &["a", "--schema", r#"{"required":["id"]}"#, "--example", "{}"],
            "example/id: is required (payload.schema)",
        ),
        (&["a", "--example", "@nowhere.json"], "nowhere.json"),
    ] {
        cli.run(&[&["types", "set"], args].concat()).await.exits(2).says(said);
    }
}

#[tokio::test]
async fn a_file_is_planned_imported_and_written_again_as_it_was() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let text = format!(
        r#"{{"event_types":[{{"name":"b.one","schema":{SCHEMA},"example":{EXAMPLE},"schema_check":"report"}},{{"name":"a.one"}}]}}"#
    );
    let file = cli.file("catalog.json", &text);
    let dry = cli.run(&["types", "import", &file, "--dry-run", "--json"]).await.exits(0).json();
    assert_eq!((&dry["added"], &dry["dry_run"]), (&json!(2), &json!(true)));
    assert!(
        cli.run(&["types", "list", "--json"]).await.json()["data"].as_array().unwrap().is_empty()
    );
    cli.run(&["types", "import", &file]).await.exits(2).says("declare 2 and change 0 event types");
    let done = cli.run(&["types", "import", &file, "--yes"]).await.exits(0);
    assert!(done.out.contains("added"), "{}", done.out);
    // What is there already needs nobody's word.
    cli.run(&["types", "import", &file]).await.exits(0).says("unchanged 2");
    let exported = cli.run(&["types", "export"]).await.exits(0).out;
    assert!(exported.contains(EXAMPLE) && exported.contains(SCHEMA), "byte for byte: {exported}");
    cli.run(&["types", "set", "a.one", "--description", "x"]).await.exits(0);
    let changed =
        cli.run_with_input(&["types", "import", "-", "--dry-run", "--json"], &exported).await;
    assert_eq!(changed.exits(0).json()["changed"], 1);
    let bad = cli.file("bad.json", r#"{"event_types":[{"name":"a"},{"name":"a"}]}"#);
    cli.run(&["types", "import", &bad, "--yes"]).await.exits(2).says("event_type.twice");
}

#[tokio::test]
async fn the_catalog_is_written_in_three_languages() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    declared(&cli).await;
    for (language, part) in [
        ("rust", "pub struct UserMade {"),
        ("typescript", "export interface UserMade {"),
        ("go", "type UserMade struct {"),
    ] {
        let printed = cli.run(&["types", "gen", "--lang", language]).await.exits(0);
        assert!(printed.out.contains(part), "{}", printed.out);
        cli.run(&["types", "gen", "--lang", language, "--out", "events.txt"]).await.exits(0);
        let written = std::fs::read_to_string(cli.folder.path().join("events.txt")).unwrap();
        assert_eq!(written, printed.out);
    }
    cli.run(&["types", "gen", "--lang", "cobol"]).await.exits(2);
}

#[tokio::test]
async fn a_strict_catalog_and_an_enforced_schema_hold_for_the_command_line_too() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    declared(&cli).await;
    let publish =
        async |name: &str, data: &str| cli.run(&["events", "publish", name, "--data", data]).await;
    publish("user.other", "{}").await.exits(0);
    publish("user.made", r#"{"user":{"id":"x"}}"#)
        .await
        .exits(2)
        .says("data/user/id: must be of type integer (payload.schema)");
    publish("user.made", r#"{"user":{"id":7}}"#).await.exits(0);
    let off = cli.run(&["types", "strict", "--json"]).await.exits(0).json();
    assert_eq!(off, json!({ "strict": false, "changed": false }));
    cli.run(&["types", "strict", "on"]).await.exits(0);
    publish("user.other", "{}").await.exits(2).says("event_type.undeclared");
    publish("user.made", r#"{"user":{"id":8}}"#).await.exits(0);
    cli.run(&["types", "strict", "off"]).await.exits(0);
    publish("user.other", "{}").await.exits(0);
}

#[tokio::test]
async fn a_trigger_publishes_the_example_with_other_values_at_a_pace() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    cli.run(&["trigger", "user.made"]).await.exits(5).says("there is no event type");
    cli.run(&["types", "set", "user.none"]).await.exits(0);
    cli.run(&["trigger", "user.none"]).await.exits(5).says("no example");
    declared(&cli).await;
    let one =
        cli.run(&["trigger", "user.made", "--tenant", "acme", "--json"]).await.exits(0).json();
    let client = db.client().await;
    let data = async |id: &str| -> String {
        let sql = "SELECT (envelope::json -> 'data')::text FROM postrider.webhook_events WHERE tenant_id = 'acme' AND id = $1";
        client.query_one(sql, &[&id]).await.unwrap().get(0)
    };
    assert_eq!(data(one["ids"][0].as_str().unwrap()).await, EXAMPLE, "byte for byte");
    let many = [
        "trigger",
        "user.made",
        "--tenant",
        "acme",
        "--set",
        "user.id=7",
        "--set",
        "tags.1=vip",
        "--attribute",
        "plan=free",
        "--count",
        "5",
        "--rate",
        "20",
        "--json",
    ];
    let many = cli.run(&many).await.exits(0).json();
    assert_eq!((&many["published"], many["ids"].as_array().unwrap().len()), (&json!(5), 5));
    assert!(many["elapsed_ms"].as_u64() >= Some(190), "four pauses of 50 ms: {many}");
    let last: serde_json::Value =
        serde_json::from_str(&data(many["ids"][4].as_str().unwrap()).await).unwrap();
    assert_eq!(last, json!({ "user": { "id": 7 }, "tags": ["a", "vip"] }));
    cli.run(&["trigger", "user.made", "--set", "user.id=x"]).await.exits(2).says("data/user/id");
    cli.run(&["trigger", "user.made", "--set", "user.id.x=1"]).await.exits(2).says("set.path");
    let count = "SELECT count(*) FROM postrider.webhook_events";
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 6);
}
