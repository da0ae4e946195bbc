//! Events published, read, explained, and the pages they come in.

use serde_json::json;

use super::{Stage, is_problem};

#[tokio::test]
async fn what_is_published_is_there_byte_for_byte_and_once() {
    let stage = Stage::set().await;
    let event = r#"{"type":"email.sent","key":["m1"],"data":{"z":1.10,"a":9007199254740993},"attributes":{"plan":"pro","n":3},"labels":["x"]}"#;
    let first = stage.with_key(&stage.a, "POST", "/events", event).await;
    assert_eq!((first.status, &first.body["outcome"]), (201, &json!("inserted")), "{}", first.body);
    let id = first.body["id"].as_str().expect("an id").to_owned();
    let again = stage.with_key(&stage.a, "POST", "/events", event).await;
    assert_eq!((again.status, &again.body["outcome"]), (200, &json!("duplicate")));
    let other = event.replace("1.10", "1.20");
    is_problem(&stage.with_key(&stage.a, "POST", "/events", &other).await, 409, "event.conflict");
    let envelope = stage.text("SELECT envelope FROM postrider.webhook_events").await;
    assert!(envelope.ends_with(r#""data":{"z":1.10,"a":9007199254740993}}"#), "{envelope}");
    let shown = stage.get(&stage.a, &format!("/events/{id}")).await.body;
    assert_eq!((&shown["state"], &shown["attributes"]["plan"]), (&json!("pending"), &json!("pro")));
    assert_eq!(shown["tenant_id"], "a");
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_the_pointer_of_its_fault() {
    let stage = Stage::set().await;
    for (body, pointer, code) in [
        (r#"{"type":"email sent","data":{}}"#, "/type", None),
        (r#"{"type":"email.sent","data":{},"id":"a b"}"#, "/id", Some("id.syntax")),
        (r#"{"type":"email.sent","data":{},"atributes":{}}"#, "/atributes", Some("unknown_field")),
        (r#"{"type":"email.sent"}"#, "/data", Some("required")),
        (r#"{"type":7,"data":{}}"#, "/type", Some("type")),
        (r#"{"type":"email.sent","data":{},"labels":["a",7]}"#, "/labels/1", Some("type")),
        (r#"{"type":"email.sent","data":{},"id":"a","key":["b"]}"#, "/key", Some("id.twice")),
        (
            r#"{"type":"email.sent","data":{},"attributes":{"a":[1]}}"#,
            "/attributes/a",
            Some("attributes.value"),
        ),
        ("{", "", Some("json")),
        ("", "", Some("json")),
    ] {
        let answer = stage.with_key(&stage.a, "POST", "/events", body).await;
        let status = if code == Some("json") { 400 } else { 422 };
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        let error = &answer.body["errors"][0];
        assert_eq!(error["pointer"], pointer, "{body}: {}", answer.body);
        assert!(code.is_none_or(|code| error["code"] == code), "{body}: {}", answer.body);
    }
    let large = format!(r#"{{"type":"email.sent","data":"{}"}}"#, "x".repeat(300_000));
    let answer = stage.with_key(&stage.a, "POST", "/events", &large).await;
    assert_eq!((answer.status, &answer.body["errors"][0]["code"]), (422, &json!("payload.size")));
    assert_eq!(stage.text("SELECT count(*)::text FROM postrider.webhook_events").await, "0");
}

#[tokio::test]
async fn pages_follow_each_other_and_their_cursors_belong_to_their_filters() {
    let stage = Stage::set().await;
    for n in 0..5 {
        let event = format!(r#"{{"type":"email.sent","data":{n},"id":"e{n}"}}"#);
        assert_eq!(stage.with_key(&stage.a, "POST", "/events", &event).await.status, 201);
    }
    let mut seen = Vec::new();
    let mut path = "/events?limit=2&type=email.sent".to_owned();
    loop {
        let page = stage.get(&stage.a, &path).await.body;
        seen.extend(
            page["data"].as_array().expect("a list").iter().map(|event| event["id"].clone()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let other = stage
            .get(&stage.a, &format!("/events?limit=2&type=email.opened&cursor={cursor}"))
            .await;
        is_problem(&other, 422, "cursor");
        path = format!("/events?limit=2&type=email.sent&cursor={cursor}");
    }
    assert_eq!(seen, ["e4", "e3", "e2", "e1", "e0"]);
    is_problem(&stage.get(&stage.a, "/events?cursor=AAAA").await, 422, "cursor");
    for wrong in ["limit=0", "limit=101", "typ=email.sent", "since=yesterday", "type=a&type=b"] {
        assert_eq!(stage.get(&stage.a, &format!("/events?{wrong}")).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn an_event_is_explained_for_every_endpoint_of_its_tenant() {
    let stage = Stage::set().await;
    let endpoint = stage.endpoint("a").await;
    stage.sent("a", "evt_1", "delivered").await;
    stage.client.batch_execute("INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, filter, enabled, disabled_reason) VALUES
        (gen_random_uuid(), 'a', 'https://example.com/type', '{order.*}', NULL, true, NULL),
        (gen_random_uuid(), 'a', 'https://example.com/filter', '{*}', '{\"attributes\": {\"plan\": [\"pro\"]}}', true, NULL),
        (gen_random_uuid(), 'a', 'https://example.com/disabled', '{*}', NULL, false, 'by hand')").await.expect("inserted");
    let explained = stage.get(&stage.a, "/events/evt_1/explain").await.body;
    let reason = |url: &str| {
        let data = explained["data"].as_array().expect("a list");
        let found =
            data.iter().find(|verdict| verdict["url"] == format!("https://example.com/{url}"));
        found.expect("a verdict")["reason"].clone()
    };
    assert_eq!(
        (reason("a"), reason("type"), reason("filter")),
        (json!("matched"), json!("type"), json!("filter"))
    );
    assert_eq!(reason("disabled"), "disabled");
    assert_eq!(explained["data"].as_array().map(Vec::len), Some(4));
    assert!(explained["data"].to_string().contains(&endpoint));
}
