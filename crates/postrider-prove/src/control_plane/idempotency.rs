//! The same POST many times at once: one thing is made, everybody else is told so or waits, and later there is one answer.

use futures_util::future::join_all;
use serde_json::json;

use super::stage::{Answer, Stage};
use crate::kit::{Ground, Lines};

/// How many ask at once.
const AT_ONCE: usize = 50;
/// What is made, the body, another body, and how to count what was made.
const MADE: [(&str, &str, &str, &str); 3] = [
    (
        "/events",
        r#"{"type":"email.sent","data":{"n":1}}"#,
        r#"{"type":"email.sent","data":{"n":2}}"#,
        "SELECT count(*) FROM postrider.webhook_events WHERE tenant_id = $1",
    ),
    (
        "/endpoints",
        r#"{"url":"https://example.com/a"}"#,
        r#"{"url":"https://example.com/b"}"#,
        "SELECT count(*) FROM postrider.webhook_endpoints WHERE tenant_id = $1",
    ),
    (
        "/api-keys",
        r#"{"name":"a","tenant_id":"shop"}"#,
        r#"{"name":"b","tenant_id":"shop"}"#,
        "SELECT count(*) FROM postrider.api_keys WHERE tenant_id = $1 AND name = 'a'",
    ),
];

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let stage = Stage::set(ground, "idempotency").await?;
    let client = stage.installation.client().await?;
    let rounds = if ground.is_quick() { 2 } else { 10 };
    let (mut tried, mut wrong) = (0, Vec::new());
    for round in 0..rounds {
        let tenant = format!("shop-{round}");
        let shop = stage.key_of(&tenant).await?;
        for (path, body, other, sql) in MADE {
            let key = if path == "/api-keys" { &stage.admin } else { &shop };
            let [body, other] =
                [body, other].map(|text| text.replace("\"shop\"", &format!("{tenant:?}")));
            let header = format!("idempotency-key: prove-{round}\r\n");
            let ask = |body: String| {
                let (stage, header) = (&stage, &header);
                async move { stage.ask(key, "POST", path, &body, header).await }
            };
            let answers: Vec<Answer> = join_all((0..AT_ONCE).map(|_| ask(body.clone())))
                .await
                .into_iter()
                .collect::<anyhow::Result<_>>()?;
            let made: i64 = client.query_one(sql, &[&tenant]).await?.get(0);
            let again = ask(body.clone()).await?;
            let refused = ask(other).await?;
            tried += AT_ONCE + 2;
            wrong.extend(judge(path, &answers, made, &again, &refused).err());
        }
    }
    stage.end().await?;
    let figure = format!(
        "{} times {AT_ONCE} at once: {} wrong{}",
        rounds * MADE.len(),
        wrong.len(),
        wrong.first().map(|first| format!(", the first: {first}")).unwrap_or_default()
    );
    lines.put(
        wrong.is_empty(),
        "idempotency",
        figure,
        "1 thing and 49 replays or 409 each, then the same answer, another body 422: 0 wrong",
        json!({ "requests": tried, "wrong": wrong }),
    );
    Ok(())
}

fn judge(
    path: &str,
    answers: &[Answer],
    made: i64,
    again: &Answer,
    refused: &Answer,
) -> Result<(), String> {
    let replayed = |answer: &Answer| answer.head.contains("idempotency-replayed: true");
    let first: Vec<&Answer> =
        answers.iter().filter(|answer| answer.status == 201 && !replayed(answer)).collect();
    let others = answers.iter().filter(|answer| answer.status == 409 || replayed(answer)).count();
    let [first] = first[..] else { return Err(format!("{path}: {} first answers", first.len())) };
    if made != 1 || others != AT_ONCE - 1 {
        return Err(format!("{path}: {made} made, {others} told so"));
    }
    let same = |answer: &Answer| answer.status == 201 && answer.text == first.text;
    if !same(again) || !answers.iter().filter(|answer| replayed(answer)).all(same) {
        return Err(format!("{path}: another answer afterwards: {}", again.status));
    }
    if refused.status != 422 || refused.body["code"] != "idempotency_key.reused" {
        return Err(format!("{path}: another body was answered with {}", refused.status));
    }
    Ok(())
}
