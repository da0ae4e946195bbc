//! An enforced schema: what does not fit is refused in the publisher's own transaction, by the Rust library and over HTTP, with the place of
//! every fault, and the publisher's other rows can still be committed. What fits arrives, and `report` lets all of it pass.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use postrider::{Event, EventType, Outbox, PublishError, checked_commit};
use postrider_testkit::Receiver;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::stage::Stage;
use crate::kit::{Ground, Lines};

const TENANT: &str = "acme";
const TYPE: &str = "user.signed_up";
const LIMIT: Duration = Duration::from_secs(30);
const SCHEMA: &str = r##"{
    "type": "object", "required": ["user", "plan"], "additionalProperties": false,
    "properties": {
        "user": { "$ref": "#/$defs/user" }, "plan": { "enum": ["free", "paid"] },
        "tags": { "type": "array", "items": { "type": "string", "maxLength": 8 } }
    },
    "$defs": { "user": { "type": "object", "required": ["id"], "properties": { "id": { "type": "integer", "minimum": 1 }, "a/b": { "type": "null" } } } }
}"##;
/// Payloads that do not fit, and where.
const BAD: &[(&str, &str)] = &[
    (r#"{"plan":"free"}"#, "/user"),
    (r#"{"user":{},"plan":"free"}"#, "/user/id"),
    (r#"{"user":{"id":"canary"},"plan":"free"}"#, "/user/id"),
    (r#"{"user":{"id":0},"plan":"free"}"#, "/user/id"),
    (r#"{"user":{"id":1,"a/b":"canary"},"plan":"free"}"#, "/user/a~1b"),
    (r#"{"user":{"id":1},"plan":"canary"}"#, "/plan"),
    (r#"{"user":{"id":1},"plan":"free","tags":["a","canary canary"]}"#, "/tags/1"),
    (r#"{"user":{"id":1},"plan":"free","more":"canary"}"#, "/more"),
    (r#"["canary"]"#, ""),
    ("7", ""),
];
const GOOD: &[&str] = &[
    r#"{"user":{"id":1},"plan":"free"}"#,
    r#"{"user":{"id":2,"a/b":null},"plan":"paid","tags":["a"]}"#,
];

/// What was tried, and what was not as it should be.
#[derive(Default)]
struct Tried {
    cases: usize,
    wrong: Vec<String>,
}

impl Tried {
    fn case(&mut self, right: bool, what: impl FnOnce() -> String) {
        self.cases += 1;
        if !right {
            self.wrong.push(what());
        }
    }
}

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let rounds = ground.size(20, 2);
    let stage = Stage::set(ground, "schema").await?;
    let key = stage.key_of(TENANT).await?;
    let receiver = Receiver::start().await;
    let url = receiver.url("/in").replace("127.0.0.1", "localhost");
    let hook = json!({ "url": url, "event_types": [TYPE] }).to_string();
    stage.post(&key, "/endpoints", &hook).await?;
    let mut client = stage.installation.client().await?;
    client
        .batch_execute(
            "CREATE TABLE public.people (id text PRIMARY KEY); GRANT ALL ON public.people TO postrider_publisher; SET ROLE postrider_publisher",
        )
        .await?;
    let mut tried = Tried::default();
    let outbox = Outbox::new().check_schemas();
    for round in 0..rounds {
        // By the API in one round, by the command line in the other.
        declare(&stage, round % 2 == 0, "enforce").await?;
        by_rust(&mut client, &outbox, round, &mut tried).await?;
        by_http(&stage, &key, round, &mut tried).await?;
        declare(&stage, round % 2 == 1, "report").await?;
        reported(&stage, &key, &mut client, &outbox, round, &mut tried).await?;
    }
    saves(&stage, &mut tried).await?;
    let sent = arrived(&stage, &receiver, &mut tried).await?;
    stage.end().await?;
    lines.put(
        tried.wrong.is_empty() && sent > 0,
        "schema",
        format!(
            "{} cases in {rounds} rounds, {} wrong{}; {sent} events that were published arrived",
            tried.cases,
            tried.wrong.len(),
            tried.wrong.first().map(|first| format!(" ({first})")).unwrap_or_default()
        ),
        "bad payloads refused with their JSON pointer by Rust and by HTTP, nothing of them kept, the business row committed: 0 wrong",
        json!({ "cases": tried.cases, "wrong": tried.wrong, "rounds": rounds, "arrived": sent }),
    );
    Ok(())
}

async fn declare(stage: &Stage, by_api: bool, check: &str) -> anyhow::Result<()> {
    if !by_api {
        let set = ["types", "set", TYPE, "--schema", SCHEMA, "--check", check];
        stage.installation.succeed(&set).await?;
        return Ok(());
    }
    let schema: Value = serde_json::from_str(SCHEMA)?;
    let body = json!({ "schema": schema, "schema_check": check }).to_string();
    let path = format!("/event-types/{TYPE}");
    let answer = stage.ask(&stage.admin, "PUT", &path, &body, "").await?;
    ensure!(answer.status < 300, "PUT {path}: {} {}", answer.status, answer.text);
    Ok(())
}

/// A publisher's transaction with a row of its own: the bad ones are refused, a good one is published, all in the same transaction.
async fn by_rust(
    client: &mut Client,
    outbox: &Outbox,
    round: usize,
    tried: &mut Tried,
) -> anyhow::Result<()> {
    for (number, (data, pointer)) in BAD.iter().enumerate() {
        let id = format!("rust_{round}_{number}");
        let tx = client.transaction().await?;
        tx.execute("INSERT INTO public.people (id) VALUES ($1)", &[&id]).await?;
        let refused = outbox.publish_tx(&tx, &event(&id, data)?).await;
        let right = matches!(&refused, Err(PublishError::Invalid(fault))
            if fault.field == format!("data{pointer}") && fault.code == "payload.schema" && !fault.to_string().contains("canary"));
        tried.case(right, || format!("Rust, {data}: {refused:?}"));
        let good = format!("rust_{round}_{number}_good");
        let published = outbox.publish_tx(&tx, &event(&good, GOOD[number % GOOD.len()])?).await;
        let right = matches!(&published, Ok(published) if published.is_inserted());
        tried.case(right, || format!("Rust, a good one after it: {published:?}"));
        let committed = checked_commit(tx).await;
        tried.case(committed.is_ok(), || format!("Rust, the commit after {data}: {committed:?}"));
        let kept = client.query_opt("SELECT FROM public.people WHERE id = $1", &[&id]).await?;
        tried.case(kept.is_some(), || format!("Rust, the row beside {data} is gone"));
    }
    Ok(())
}

async fn by_http(stage: &Stage, key: &str, round: usize, tried: &mut Tried) -> anyhow::Result<()> {
    for (number, (data, pointer)) in BAD.iter().enumerate() {
        let body = format!(r#"{{"type":"{TYPE}","id":"http_{round}_{number}","data":{data}}}"#);
        let answer = stage.ask(key, "POST", "/events", &body, "").await?;
        let error = &answer.body["errors"][0];
        let right = answer.status == 422
            && error["pointer"].as_str() == Some(format!("/data{pointer}").as_str())
            && error["code"] == "payload.schema"
            && !answer.text.contains("canary");
        tried.case(right, || format!("HTTP, {data}: {} {}", answer.status, answer.text));
    }
    for (number, data) in GOOD.iter().enumerate() {
        let body =
            format!(r#"{{"type":"{TYPE}","id":"http_{round}_{number}_good","data":{data}}}"#);
        let answer = stage.ask(key, "POST", "/events", &body, "").await?;
        tried.case(answer.status == 201, || {
            format!("HTTP, {data}: {} {}", answer.status, answer.text)
        });
    }
    Ok(())
}

/// What is only reported is published.
async fn reported(
    stage: &Stage,
    key: &str,
    client: &mut Client,
    outbox: &Outbox,
    round: usize,
    tried: &mut Tried,
) -> anyhow::Result<()> {
    let (data, _) = BAD[round % BAD.len()];
    let tx = client.transaction().await?;
    let published =
        outbox.publish_tx(&tx, &event(&format!("rust_{round}_reported_good"), data)?).await;
    let right = matches!(&published, Ok(published) if published.is_inserted());
    tried.case(right, || format!("Rust, reported {data}: {published:?}"));
    checked_commit(tx).await?;
    let body = format!(r#"{{"type":"{TYPE}","id":"http_{round}_reported_good","data":{data}}}"#);
    let answer = stage.ask(key, "POST", "/events", &body, "").await?;
    tried.case(answer.status == 201, || {
        format!("HTTP, reported {data}: {} {}", answer.status, answer.text)
    });
    Ok(())
}

/// Schemas that cannot be kept are refused when they are saved.
async fn saves(stage: &Stage, tried: &mut Tried) -> anyhow::Result<()> {
    for (schema, code, pointer) in [
        (r#"{"$ref":"https://schemas.example/user.json"}"#, "schema.reference", "/schema/$ref"),
        (
            r#"{"properties":{"a":{"$ref":"file:///etc/passwd"}}}"#,
            "schema.reference",
            "/schema/properties/a/$ref",
        ),
        (r#"{"type":"text"}"#, "schema.invalid", "/schema/type"),
    ] {
        let body = format!(r#"{{"schema":{schema},"schema_check":"enforce"}}"#);
        let answer = stage.ask(&stage.admin, "PUT", "/event-types/user.other", &body, "").await?;
        let error = &answer.body["errors"][0];
        let right = answer.status == 422 && error["code"] == code && error["pointer"] == pointer;
        tried.case(right, || format!("saving {schema}: {} {}", answer.status, answer.text));
        let ran =
            stage.installation.run(&["types", "set", "user.other", "--schema", schema]).await?;
        tried.case(ran.exit == Some(2) && ran.err.contains(code), || {
            format!("types set {schema}: {}", ran.err)
        });
    }
    Ok(())
}

/// Everything good was published and has arrived, and nothing else: how many.
async fn arrived(stage: &Stage, receiver: &Receiver, tried: &mut Tried) -> anyhow::Result<u64> {
    stage.installation.drained(LIMIT).await?;
    let client = stage.installation.client().await?;
    let row = client
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE id NOT LIKE '%\\_good') FROM postrider.webhook_event_ids WHERE tenant_id = $1",
            &[&TENANT],
        )
        .await?;
    let (published, bad): (i64, i64) = (row.get(0), row.get(1));
    tried.case(bad == 0, || format!("{bad} events were kept that were refused"));
    let begun = Instant::now();
    let wanted = u64::try_from(published).context("a count")?;
    while receiver.count() < wanted && begun.elapsed() < LIMIT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let came = receiver.count();
    tried.case(came == wanted, || format!("{came} of {wanted} published events arrived"));
    Ok(came)
}

fn event(id: &str, data: &str) -> anyhow::Result<Event> {
    Ok(Event::new(EventType::parse(TYPE)?, TENANT).id(id).data_text(data))
}
