//! Ids: derived ones that must differ or agree, one id published twice, tenants, and ids of things that are looked for.

use anyhow::Context as _;
use postrider::{EMAIL_SENT, EventId, EventType};
use serde_json::Value;

use super::Judge;
use super::case::Case;
use super::events::{Attempt, try_door};

/// An id that stands in a path: what is behind the last slash.
const PATH: char = '/';

pub(super) async fn try_case(judge: &mut Judge, case: &Case) -> anyhow::Result<()> {
    judge.begin(case);
    match (case.kind.as_str(), &case.input) {
        ("deterministic_id_pair", _) => pair(judge, case).await,
        ("publish_twice", _) => twice(judge, case).await,
        (_, Value::String(path)) if path.starts_with(PATH) => look_up(judge, case, path).await,
        (_, Value::Object(input)) if input.contains_key("tenant") => {
            let tenant = input["tenant"].as_str();
            for door in ["library", "SQL", "command"] {
                let attempt = Attempt { tenant, ..Attempt::new() };
                try_door(judge, case, door, "tenant", &attempt).await?;
            }
            Ok(())
        }
        _ => {
            judge.fail(case, "all doors", "nobody knows how to try it");
            Ok(())
        }
    }
}

/// Two keys, all parts as the key of one type, in Rust and SQL; and, where the last part is a type, with that type.
async fn pair(judge: &mut Judge, case: &Case) -> anyhow::Result<()> {
    let parts = |side: &str| -> anyhow::Result<Vec<String>> {
        Ok(serde_json::from_value(case.input[side].clone())?)
    };
    let (a, b) = (parts("a")?, parts("b")?);
    let same = case.expect.verdict == "same";
    let mut ways = vec![((EMAIL_SENT, &a[..]), (EMAIL_SENT, &b[..]))];
    if let ([key_a @ .., type_a], [key_b @ .., type_b]) = (&a[..], &b[..])
        && let (Ok(type_a), Ok(type_b)) =
            (EventType::parse(type_a.as_str()), EventType::parse(type_b.as_str()))
        && !key_a.is_empty()
        && !key_b.is_empty()
    {
        ways.push(((type_a, key_a), (type_b, key_b)));
    }
    for (one, other) in ways {
        let mut by_sql = Vec::new();
        let mut by_library = Vec::new();
        for (event_type, key) in [&one, &other] {
            let sql = "SELECT postrider.event_id_v1($1, $2)";
            let row = judge.client.query_one(sql, &[&event_type.as_str(), key]).await?;
            by_sql.push(row.get::<_, String>(0));
            by_library.push(String::from(EventId::derive(event_type, *key)?));
        }
        if by_sql != by_library {
            judge.fail(case, "both", "Rust and SQL differ");
        }
        if (by_sql[0] == by_sql[1]) != same {
            judge.fail(case, "both", &format!("the ids are {}", by_sql.join(" and ")));
        }
        judge.counts.entry(case.group.clone()).or_default().1 += 2;
    }
    Ok(())
}

/// The same id with the same or another payload, through the command, after SQL.
async fn twice(judge: &mut Judge, case: &Case) -> anyhow::Result<()> {
    let (first, second) = (case.input["first"].to_string(), case.input["second"].to_string());
    let expected = if case.expect.verdict == "accept" { "duplicate" } else { "conflict" };
    let sql =
        "SELECT outcome FROM postrider.publish(type => 'email.sent', data => $1::text, id => $2)";
    let id = case.id.as_str();
    judge.client.query_one(sql, &[&first, &id]).await?;
    let before = judge.stored().await?;
    let by_sql: String = judge.client.query_one(sql, &[&second, &id]).await?.get(0);
    let arguments = ["events", "publish", "email.sent", "--data", &second, "--id", id, "--json"];
    let ran = judge.installation.run(&arguments).await?;
    let by_command: Value = serde_json::from_str(&ran.out).context("read the answer")?;
    for (door, answer) in
        [("SQL", by_sql.as_str()), ("command", by_command["outcome"].as_str().unwrap_or_default())]
    {
        judge.counts.entry(case.group.clone()).or_default().1 += 1;
        if answer != expected {
            judge.fail(case, door, &format!("the second publish is {answer}, not {expected}"));
        }
    }
    if judge.stored().await? != before {
        judge.fail(case, "both", "the second publish is stored");
    }
    // A conflict is a failure to who typed the command, a duplicate is none.
    let failed = ran.exit != Some(0);
    if failed != (expected == "conflict") {
        judge.fail(case, "command", &format!("it ended with {:?}", ran.exit));
    }
    Ok(())
}

/// Something looked for by an id that cannot be: not found, or refused as no id, and nothing worse.
async fn look_up(judge: &mut Judge, case: &Case, path: &str) -> anyhow::Result<()> {
    let id = path.rsplit(PATH).next().unwrap_or_default();
    for noun in ["endpoints", "deliveries", "events"] {
        let ran = judge.installation.run(&[noun, "show", "--json", "--", id]).await?;
        judge.counts.entry(case.group.clone()).or_default().1 += 1;
        if !matches!(ran.exit, Some(2 | 5)) {
            judge.fail(case, noun, &format!("it ended with {:?}: {}", ran.exit, ran.first_line()));
        }
    }
    Ok(())
}
