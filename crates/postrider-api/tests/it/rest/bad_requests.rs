//! Every request of the table of bad ones gets the verdict stated there.

use postrider_testkit::{ApiUnderTest, try_api_cases};

use super::Stage;

#[tokio::test]
async fn every_bad_request_gets_its_verdict() {
    let stage = Stage::set().await;
    for n in 0..2 {
        stage.sent("b", &format!("evt_{n}"), "delivered").await;
    }
    let page = stage.get(&stage.b, "/deliveries?limit=1&since=2020-01-01T00:00:00Z").await;
    let cursor = page.body["next_cursor"].as_str().expect("a next page").to_owned();
    let made =
        stage.with_key(&stage.a, "POST", "/endpoints", r#"{"url":"https://example.com/s"}"#).await;
    let text = |name: &str| made.body[name].as_str().expect("a text").to_owned();
    let (endpoint, secret) = (text("id"), text("secret"));
    let verdicts = try_api_cases(ApiUnderTest {
        address: stage.address,
        key: &stage.a,
        endpoint: &endpoint,
        secret: &secret,
        cursor_of_another: &cursor,
    })
    .await;
    assert_eq!(verdicts.len(), 19);
    let wrong: Vec<_> = verdicts.into_iter().filter_map(|verdict| verdict.wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
