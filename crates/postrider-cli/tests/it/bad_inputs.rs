//! Every hostile URL and header that a command line can carry gets its stated verdict, and nothing refused is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use postrider_testkit::TestDb;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::support::Cli;

const CASES: &str = include_str!("../../../postrider-core/tests/bad_inputs.json");
/// The longest argument that Linux passes on.
const LONGEST: usize = 120 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_urls_are_refused_and_nothing_of_them_is_stored() {
    let db = TestDb::new().await;
    let mut expected = BTreeMap::new();
    let mut work = Vec::new();
    for case in cases("url") {
        let Value::String(url) = expand(&case["input"]) else { continue };
        if url.contains('\0') || url.len() > LONGEST {
            continue; // no process can be given such an argument
        }
        let tenant = case["id"].as_str().unwrap().to_owned();
        let verdict = &case["expect"];
        match verdict["verdict"].as_str().unwrap() {
            "accept" => drop(expected.insert(tenant.clone(), url.clone())),
            "accept_normalised" => drop(
                expected.insert(tenant.clone(), verdict["stored"].as_str().unwrap().to_owned()),
            ),
            _ => {}
        }
        let code = verdict["code"].as_str().map(str::to_owned);
        work.push((vec![url, "--tenant".to_owned(), tenant], code));
    }
    assert!(work.len() > 70, "cases must not get lost: {}", work.len());
    run_all(&db, work).await;
    assert_eq!(stored(&db).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_headers_are_refused_and_nothing_of_them_is_stored() {
    let db = TestDb::new().await;
    let files = Cli::new();
    let mut expected = BTreeMap::new();
    let mut work = Vec::new();
    for case in cases("header") {
        let tenant = case["id"].as_str().unwrap().to_owned();
        let file = files.file(&tenant, &expand(&case["input"]).to_string());
        if case["expect"]["verdict"] == "accept" {
            expected.insert(tenant.clone(), "https://example.com/h".to_owned());
        }
        let args = ["https://example.com/h", "--tenant", &tenant, "--header-file", &file]
            .map(str::to_owned);
        work.push((args.to_vec(), case["expect"]["code"].as_str().map(str::to_owned)));
    }
    assert_eq!(work.len(), 20, "cases must not get lost");
    run_all(&db, work).await;
    assert_eq!(stored(&db).await, expected);
}

#[tokio::test]
async fn other_bad_fields_are_named_and_nothing_is_stored() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let colonless = cli.file("colonless", "X-A: b\nX-Key t0p-secret:def\n");
    let twice = cli.file("twice.json", r#"{"X-A":"t0p-secret","X-A":"b"}"#);
    for (args, field, code) in [
        (&["--tenant", "a b"][..], "tenant", "tenant.syntax"),
        (&["--tenant", ""], "tenant", "tenant.syntax"),
        (&["--types", "email.*.x"], "/event_types/0", "filter.pattern"),
        (&["--types", ""], "/event_types/0", "filter.pattern"),
        (&["--filter", "{"], "filter", "json"),
        (&["--filter", r#"{"attributes":{"a":[]}}"#], "/filter", "filter.empty"),
        (&["--filter", r#"{"nonsense":1}"#], "/filter", "filter."),
        (&["--metadata", "[]"], "metadata", "type"),
        (&["--metadata", r#"{"a":"\u0000"}"#], "metadata", "json"),
        (&["--metadata", r#"{"a":{"b":1,"b":2}}"#], "metadata", "json"),
        (&["--filter", r#"{"attributes":{"a":["x"],"a":["y"]}}"#], "filter", "json"),
        (&["--header-file", &twice], "headers", "json"),
        (&["--retry-schedule", "5"], "retry_schedule[0]", "schedule.syntax"),
        (&["--retry-schedule", "5s,0ms"], "retry_schedule[1]", "schedule.range"),
        (&["--ordering", "keys"], "ordering", "ordering.value"),
        (&["--ordering", "key", "--on-failure", "skip:0"], "on_failure", "on_failure.value"),
        (&["--on-failure", "skip:3"], "on_failure", "on_failure.without_order"),
        (&["--timeout", "31s"], "timeout", "timeout.range"),
        (&["--max-in-flight", "0"], "max_in_flight", "max_in_flight.range"),
        (&["--header", "no colon"], "headers", "header.name"),
        (&["--header", "Host: x"], "headers.Host", "header.reserved"),
        (&["--header", "X-Key t0p-secret:def"], "headers[0]", "header.name"),
        (&["--header-file", &colonless], "headers[1]", "header.name"),
    ] {
        let args = [&["endpoints", "add", "https://example.com/h"], args].concat();
        let ran = cli.run(&args).await.exits(2).says(field).says(code);
        assert!(!ran.err.contains("t0p-secret"), "{}", ran.err);
    }
    let description = "x".repeat(201);
    cli.run(&["endpoints", "add", "https://example.com/h", "--description", &description])
        .await
        .exits(2)
        .says("description.length");
    assert_eq!(stored(&db).await, BTreeMap::new());
}

#[tokio::test]
async fn a_backslash_before_u0000_is_no_nul() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let metadata = r#"{"path":"C:\\u0000"}"#;
    let add = ["endpoints", "add", "https://example.com/h", "--json", "--metadata", metadata];
    let added = cli.run(&add).await.exits(0).json();
    let show = ["endpoints", "show", added["id"].as_str().unwrap(), "--json"];
    assert_eq!(cli.run(&show).await.exits(0).json()["metadata"]["path"], r"C:\u0000");
}

#[tokio::test]
async fn the_refusal_of_a_local_url_names_the_flag() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    for url in [
        "http://127.0.0.1:9999/h",
        "https://127.0.0.1/h",
        "http://localhost:9999/h",
        "https://10.0.0.1/h",
    ] {
        cli.run(&["endpoints", "add", url]).await.exits(2).says("--dev").says("egress.allow_cidrs");
    }
}

fn cases(group: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(CASES).expect("the file is valid");
    all.into_iter().filter(|case| case["group"] == group).collect()
}

/// A few processes at a time; `Some(code)` is to be refused with it.
async fn run_all(db: &TestDb, work: Vec<(Vec<String>, Option<String>)>) {
    let cli = Arc::new(Cli::at(db));
    let mut running = JoinSet::new();
    for (args, code) in work {
        if running.len() >= 4 {
            running.join_next().await.expect("some run").expect("a case holds");
        }
        let cli = Arc::clone(&cli);
        running.spawn(async move {
            let line: Vec<&str> =
                ["endpoints", "add"].into_iter().chain(args.iter().map(String::as_str)).collect();
            let ran = cli.run(&line).await;
            match code {
                None => assert_eq!(ran.code, 0, "{args:?}\n{}", ran.err),
                Some(code) => {
                    assert_eq!(ran.code, 2, "{args:?}\n{}", ran.err);
                    assert!(
                        ran.err.contains(&format!("({code})")),
                        "{args:?} wants {code}\n{}",
                        ran.err
                    );
                    assert!(!ran.err.contains("t0p-secret"));
                }
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a case holds");
    }
}

/// URLs by tenant.
async fn stored(db: &TestDb) -> BTreeMap<String, String> {
    let rows = db
        .client()
        .await
        .query("SELECT tenant_id, url FROM postrider.webhook_endpoints", &[])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The generators of the file: `$repeat`, `$concat`, `$headers`.
fn expand(input: &Value) -> Value {
    let Value::Object(object) = input else { return input.clone() };
    if let Some(Value::Array(parts)) = object.get("$concat") {
        let texts = parts.iter().map(|part| expand(part).as_str().expect("a text").to_owned());
        return Value::String(texts.collect());
    }
    if let Some(Value::Array(repeat)) = object.get("$repeat") {
        let (text, times) =
            (repeat[0].as_str().expect("a text"), repeat[1].as_u64().expect("a number"));
        return Value::String(text.repeat(usize::try_from(times).expect("it fits")));
    }
    if let Some(count) = object.get("$headers").and_then(Value::as_u64) {
        return Value::Object((0..count).map(|n| (format!("x-{n}"), Value::from("1"))).collect());
    }
    Value::Object(
        object.iter().map(|(name, value)| (name.clone(), expand(value))).collect::<Map<_, _>>(),
    )
}
