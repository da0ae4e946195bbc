//! The event queries of PostHog's users: the last ten of a type, the same of a user, counts and unique users by a property over 30 days; by the
//! API and by SQL, against what the publisher knows it published.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::stage::Stage;
use crate::kit::{Ground, Lines};

const TENANT: &str = "shop";
const PLANS: [&str; 3] = ["free", "pro", "team"];

/// What was published, in its order.
struct Published {
    id: String,
    event_type: &'static str,
    user: Option<String>,
    plan: Option<&'static str>,
}

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let stage = Stage::set(ground, "event-queries").await?;
    let shop = stage.key_of(TENANT).await?;
    let other = stage.key_of("other").await?;
    let events = publish(&stage, &shop, ground.size(600, 150)).await?;
    for n in 0..20 {
        let event = json!({ "type": "user_signed_up", "data": { "plan": "pro", "distinct_id": "user-1", "n": n } });
        stage.post(&other, "/events", &event.to_string()).await?;
    }
    let mut wrong = Vec::new();
    let mut compared = 0;
    let mut compare = |what: String, found: Value, expected: Value| {
        compared += 1;
        if found != expected {
            wrong.push(format!("{what}: {found} instead of {expected}"));
        }
    };
    for (query, wanted) in [
        ("type=user_signed_up&limit=10&order=desc", of_type(&events, "user_signed_up")),
        ("distinct_id=user-1&limit=10&order=desc", of_user(&events, "user-1", None)),
        (
            "type=user_signed_up&distinct_id=user-2&limit=10&order=desc",
            of_user(&events, "user-2", Some("user_signed_up")),
        ),
        ("distinct_id=nobody&limit=10", Vec::new()),
    ] {
        let page = stage.get(&shop, &format!("/events?{query}")).await?;
        let ids: Vec<&str> = page["data"]
            .as_array()
            .context("a page")?
            .iter()
            .filter_map(|event| event["id"].as_str())
            .collect();
        let newest: Vec<&String> = wanted.iter().rev().take(10).collect();
        compare(query.to_owned(), json!(ids), json!(newest));
        let exists = stage
            .get(
                &shop,
                &format!(
                    "/events/exists?{}",
                    query.replace("&order=desc", "").replace("&limit=10", "")
                ),
            )
            .await?;
        compare(format!("exists {query}"), exists["event_id"].clone(), json!(wanted.last()));
    }
    let client = stage.installation.client().await?;
    let since: String = client.query_one("SELECT to_char((clock_timestamp() - interval '30 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", &[]).await?.get(0);
    let by_plan = stage.get(&shop, &format!("/events/stats?group_by=data.plan&unique=distinct_id&type=user_signed_up&since={since}")).await?;
    let expected = counted(events.iter().filter(|event| event.event_type == "user_signed_up"));
    compare("counts by the API".to_owned(), groups(&by_plan)?, json!(expected));
    let sql = "SELECT coalesce(data ->> 'plan', '') AS plan, count(*), count(DISTINCT distinct_id) FROM postrider.v_events
               WHERE tenant_id = $1 AND type = 'user_signed_up' AND created_at > clock_timestamp() - interval '30 days' GROUP BY 1";
    let rows = client.query(sql, &[&TENANT]).await?;
    let by_sql: BTreeMap<String, (i64, i64)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    compare("counts by SQL".to_owned(), json!(by_sql), json!(expected));
    let newest = client.query("SELECT id FROM postrider.v_events WHERE tenant_id = $1 AND distinct_id = 'user-1' ORDER BY seq DESC LIMIT 10", &[&TENANT]).await?;
    let newest: Vec<String> = newest.iter().map(|row| row.get(0)).collect();
    compare(
        "a user's by SQL".to_owned(),
        json!(newest),
        json!(of_user(&events, "user-1", None).iter().rev().take(10).collect::<Vec<_>>()),
    );
    stage.end().await?;
    let figure = format!(
        "{compared} answers over {} events: {} wrong{}",
        events.len(),
        wrong.len(),
        wrong.first().map(|first| format!(", the first: {first}")).unwrap_or_default()
    );
    let target = "the last ten of a type and of a user, and counts and unique users by a property, by API and SQL: 0 wrong";
    lines.put(
        wrong.is_empty(),
        "event-queries",
        figure,
        target,
        json!({ "compared": compared, "events": events.len(), "wrong": wrong }),
    );
    Ok(())
}

/// Publishes so many: two of three sign-ups, users named by attribute, by data or not at all, plans now and then missing.
async fn publish(stage: &Stage, key: &str, count: usize) -> anyhow::Result<Vec<Published>> {
    let mut events = Vec::new();
    for n in 0..count {
        let event = Published {
            id: format!("evt_{n}"),
            event_type: if n % 3 == 0 { "order.paid" } else { "user_signed_up" },
            user: (n % 7 != 0).then(|| format!("user-{}", n % 11)),
            plan: (n % 5 != 0).then(|| PLANS[n % 3]),
        };
        let mut data = json!({ "n": n, "text": "\u{0}" });
        if let Some(plan) = event.plan {
            data["plan"] = plan.into();
        }
        let mut body = json!({ "type": event.event_type, "id": event.id });
        match &event.user {
            Some(user) if n % 2 == 0 => {
                // The attribute comes first.
                body["attributes"] = json!({ "user_id": user });
                data["distinct_id"] = "somebody else".into();
            }
            // What no text of PostgreSQL can hold stands beside what can be read in none of these.
            Some(user) => data = json!({ "distinct_id": user, "plan": data["plan"] }),
            None => {}
        }
        body["data"] = data;
        stage.post(key, "/events", &body.to_string()).await?;
        events.push(event);
    }
    Ok(events)
}

fn of_type(events: &[Published], event_type: &str) -> Vec<String> {
    let of = events.iter().filter(|event| event.event_type == event_type);
    of.map(|event| event.id.clone()).collect()
}

fn of_user(events: &[Published], user: &str, event_type: Option<&str>) -> Vec<String> {
    let of = events.iter().filter(|event| {
        event.user.as_deref() == Some(user)
            && event_type.is_none_or(|wanted| wanted == event.event_type)
    });
    of.map(|event| event.id.clone()).collect()
}

/// Events and users by plan.
fn counted<'a>(events: impl Iterator<Item = &'a Published>) -> BTreeMap<String, (usize, usize)> {
    let mut plans: BTreeMap<String, (usize, BTreeSet<&String>)> = BTreeMap::new();
    for event in events {
        let plan = plans.entry(event.plan.unwrap_or_default().to_owned()).or_default();
        plan.0 += 1;
        plan.1.extend(&event.user);
    }
    plans.into_iter().map(|(plan, (count, users))| (plan, (count, users.len()))).collect()
}

fn groups(answer: &Value) -> anyhow::Result<Value> {
    let groups = answer["data"].as_array().context("groups")?.iter();
    let groups: BTreeMap<String, (i64, i64)> = groups
        .map(|group| {
            let count = |name: &str| group[name].as_i64().unwrap_or(-1);
            (
                group["key"].as_str().unwrap_or_default().to_owned(),
                (count("count"), count("unique")),
            )
        })
        .collect();
    Ok(json!(groups))
}
