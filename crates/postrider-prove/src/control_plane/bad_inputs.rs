//! Every bad request of the table against the daemon: its stated verdict.

use anyhow::Context as _;
use postrider_testkit::{ApiUnderTest, try_api_cases};
use serde_json::json;

use super::stage::Stage;
use crate::kit::{Ground, Lines};

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let stage = Stage::set(ground, "bad-inputs").await?;
    let (a, b) = (stage.key_of("a").await?, stage.key_of("b").await?);
    let client = stage.installation.client().await?;
    let hook = r#"{"url":"https://example.com/s"}"#;
    let made = stage.post(&a, "/endpoints", hook).await?;
    stage.post(&b, "/endpoints", hook).await?;
    for n in 0..2 {
        let event = json!({ "type": "email.sent", "data": n }).to_string();
        stage.post(&b, "/events", &event).await?;
    }
    let begun = std::time::Instant::now();
    let cursor = loop {
        let page = stage.get(&b, "/deliveries?limit=1").await?;
        if let Some(cursor) = page["next_cursor"].as_str() {
            break cursor.to_owned();
        }
        anyhow::ensure!(begun.elapsed().as_secs() < 30, "the events are not fanned out");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let endpoint = made["id"].as_str().context("an id")?;
    let secret = made["secret"].as_str().context("a secret")?;
    let under_test = ApiUnderTest {
        address: stage.address,
        key: &a,
        endpoint,
        secret,
        cursor_of_another: &cursor,
    };
    let verdicts = try_api_cases(under_test).await;
    let held: i64 = client
        .query_one("SELECT count(*) FROM postrider.webhook_endpoints WHERE tenant_id = 'a' AND url NOT LIKE 'https://example.com/%'", &[])
        .await?
        .get(0);
    stage.end().await?;
    let wrong: Vec<&String> =
        verdicts.iter().filter_map(|verdict| verdict.wrong.as_ref()).collect();
    let requests: usize = verdicts.iter().map(|verdict| verdict.requests).sum();
    let figure = format!(
        "{} cases in {requests} requests: {} wrong{}, {held} refused things stored",
        verdicts.len(),
        wrong.len(),
        wrong.first().map(|first| format!(" ({first})")).unwrap_or_default()
    );
    lines.put(
        wrong.is_empty() && held == 0 && verdicts.len() == 19,
        "bad-inputs",
        figure,
        "all 19 API cases get the stated verdict, nothing refused is stored",
        json!({ "cases": verdicts.len(), "requests": requests, "wrong": wrong }),
    );
    Ok(())
}
