//! Every operation of the OpenAPI document, with the ids of another tenant.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use postrider_testkit::Receiver;
use serde_json::{Value, json};

use super::super::stage::Stage;

/// What every text of the other tenant holds.
const MARK: &str = "canary-of-b";
/// What is not made by the API: rows of both in the tables that have none yet.
const MORE: &str = "INSERT INTO postrider.tenants (tenant_id, max_in_flight) VALUES ('a', 7), ('b', 7);
    INSERT INTO postrider.webhook_egress_rules (tenant_id, deny_cidrs) VALUES ('a', '{203.0.113.0/24}'), ('b', '{203.0.113.0/24}');
    INSERT INTO postrider.webhook_publish_failures (tenant_id, event_id, type, reason) VALUES ('a', 'x', 'email.sent', 'x'), ('b', 'x', 'email.sent', 'canary-of-b')";
const LIMIT: Duration = Duration::from_secs(30);

/// Two tenants, each with one of everything.
pub(super) struct Field {
    a: String,
    b: String,
    /// Of each placeholder of a path what stands for a thing of tenant b.
    ids: BTreeMap<&'static str, String>,
    _receiver: Receiver,
}

/// What came of it.
pub(super) struct Tried {
    pub(super) operations: usize,
    pub(super) requests: usize,
    pub(super) leaks: Vec<String>,
    /// Paths for which there is no id of another tenant here.
    pub(super) unfilled: Vec<String>,
    /// Requests of tenant b itself that were answered: the ids are real.
    pub(super) controls: usize,
}

impl Field {
    pub(super) async fn fill(stage: &Stage) -> anyhow::Result<Self> {
        let receiver = Receiver::start().await;
        let (a, b) = (stage.key_of("a").await?, stage.key_of("b").await?);
        let url = receiver.url("/canary-of-b").replace("127.0.0.1", "localhost");
        let hook = |tenant: &str| {
            json!({ "url": format!("{url}/{tenant}"), "description": MARK, "capture_responses": true, "metadata": { "mark": MARK } }).to_string()
        };
        stage.post(&a, "/endpoints", &hook("a").replace(MARK, "of-a")).await?;
        let endpoint = id(&stage.post(&b, "/endpoints", &hook("b")).await?)?;
        let event = json!({ "type": "email.sent", "data": { "mark": MARK }, "id": "evt_of_b", "attributes": { "user_id": MARK }, "labels": [MARK] });
        let event = id(&stage.post(&b, "/events", &event.to_string()).await?)?;
        stage.post(&a, "/events", r#"{"type":"email.sent","data":{},"id":"evt_of_a"}"#).await?;
        let delivery = delivered(stage, &b, &event).await?;
        let since =
            json!({ "since": "2020-01-01T00:00:00Z", "statuses": ["delivered"], "reason": MARK });
        let job =
            stage.post(&b, &format!("/endpoints/{endpoint}/recover"), &since.to_string()).await?;
        let keys = stage.get(&stage.admin, "/api-keys?tenant_id=b").await?;
        let client = stage.installation.client().await?;
        client.batch_execute(MORE).await?;
        let ids = BTreeMap::from([
            ("endpoint_id", endpoint.clone()),
            ("webhook_id", endpoint),
            ("event_id", event),
            ("delivery_id", delivery),
            ("job_id", id(&job)?),
            ("key_id", id(&keys["data"][0])?),
            ("tenant_id", "b".to_owned()),
        ]);
        Ok(Self { a, b, ids, _receiver: receiver })
    }
}

/// Tries every operation with tenant a's key and tenant b's ids, and looks whether anything of b came back or became another.
pub(super) async fn try_all(stage: &Stage, field: &Field) -> anyhow::Result<Tried> {
    let document = stage.document().await?;
    let mut tried =
        Tried { operations: 0, requests: 0, leaks: Vec::new(), unfilled: Vec::new(), controls: 0 };
    let before = state(stage).await?;
    for (path, operations) in document["paths"].as_object().context("paths")? {
        let path = path.trim_start_matches("/api/v1");
        for (method, operation) in operations.as_object().context("operations")? {
            tried.operations += 1;
            one(stage, field, &method.to_uppercase(), path, operation, &mut tried).await?;
        }
    }
    let after = state(stage).await?;
    for (table, rows) in &before {
        if after.get(table) != Some(rows) {
            tried.leaks.push(format!("{table} of b is not what it was"));
        }
    }
    Ok(tried)
}

async fn one(
    stage: &Stage,
    field: &Field,
    method: &str,
    path: &str,
    operation: &Value,
    tried: &mut Tried,
) -> anyhow::Result<()> {
    let mut filled = path.to_owned();
    for (name, id) in &field.ids {
        filled = filled.replace(&format!("{{{name}}}"), id);
    }
    // What an installation has once, of no tenant.
    let common = filled.contains("{event_type}");
    let filled = filled.replace("{event_type}", "email.sent");
    if filled.contains('{') {
        tried.unfilled.push(format!("{method} {path}"));
        return Ok(());
    }
    let about_b = filled != path && !common;
    let bodies: &[&str] = match operation["requestBody"].is_object() {
        true => &[
            "{}",
            r#"{"tenant_id":"b","url":"https://example.com/","type":"email.sent","data":1,"name":"x"}"#,
        ],
        false => &[""],
    };
    // A stream does not end; it is asked for by its own line.
    if operation["responses"]["200"]["content"]["text/event-stream"].is_object() {
        return Ok(());
    }
    for body in bodies {
        for query in ["", "?tenant_id=b", "?tenant_id=a", "?since=2020-01-01T00:00:00Z"] {
            let asked = format!("{filled}{query}");
            let answer = stage.ask(&field.a, method, &asked, body, "").await?;
            tried.requests += 1;
            let reached = about_b && (200..300).contains(&answer.status);
            let ids = field.ids.iter().filter(|(name, _)| **name != "tenant_id");
            let told = answer.text.contains(MARK)
                || ids.into_iter().any(|(_, id)| answer.text.contains(id.as_str()));
            if reached || told {
                tried
                    .leaks
                    .push(format!("{method} {asked}: {} {:.200}", answer.status, answer.text));
            }
        }
    }
    if method == "GET" && about_b {
        let own = stage.ask(&field.b, method, &filled, "", "").await?;
        tried.controls += usize::from(own.status == 200);
    }
    Ok(())
}

/// The first delivery of an event, once it is delivered.
async fn delivered(stage: &Stage, key: &str, event: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let page = stage.get(key, &format!("/events/{event}/deliveries")).await?;
        let first = &page["data"][0];
        if first["status"] == "delivered" {
            return id(first);
        }
        ensure!(begun.elapsed() < LIMIT, "the event was not delivered: {page}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn id(thing: &Value) -> anyhow::Result<String> {
    Ok(thing["id"].as_str().with_context(|| format!("an id in {thing}"))?.to_owned())
}

/// What tenant b has, table by table, but for what changes by itself.
async fn state(stage: &Stage) -> anyhow::Result<BTreeMap<String, String>> {
    let client = stage.installation.client().await?;
    let begun = Instant::now();
    // Its job and its delivery are over first.
    let open =
        "SELECT (SELECT count(*) FROM postrider.webhook_deliveries_open WHERE tenant_id = 'b')
                     + (SELECT count(*) FROM postrider.jobs WHERE state IN ('queued', 'running'))";
    while client.query_one(open, &[]).await?.get::<_, i64>(0) > 0 {
        ensure!(begun.elapsed() < LIMIT, "something of b is still under way");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let tables = "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
                  WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                    AND c.relname NOT IN ('webhook_routing_versions')";
    let mut state = BTreeMap::new();
    for row in client.query(tables, &[]).await? {
        let table: String = row.get(0);
        let sql = format!(
            "SELECT coalesce(md5(string_agg(x, '|' ORDER BY x)), '') FROM (SELECT (to_jsonb(t) - 'last_used_at')::text AS x FROM postrider.{table} t WHERE tenant_id = 'b') s"
        );
        let rows: String = client.query_one(&sql, &[]).await?.get(0);
        state.insert(table, rows);
    }
    Ok(state)
}
