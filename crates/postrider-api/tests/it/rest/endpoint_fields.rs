//! What an endpoint can be, and what it cannot.

use serde_json::Value;
use serde_json::json;

use super::{Stage, is_problem};

#[tokio::test]
async fn an_endpoint_is_added_with_a_secret_shown_once_and_changed_field_by_field() {
    let stage = Stage::set().await;
    let body = r#"{"url":"https://example.com/new","event_types":["order.*"],"filter":{"attributes":{"plan":["pro"]}},
        "headers":{"x-team":"secret-value"},"retry_schedule_ms":[1000,60000],"timeout_ms":5000,"max_in_flight":3,"rate_limit":7,
        "signing":["github"],"auth":{"type":"bearer","token":"tok-en"},"batch":{"max_events":5},"metadata":{"k":1},"format":"raw"}"#;
    let made = stage.with_key(&stage.a, "POST", "/endpoints", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().expect("an id").to_owned();
    assert!(made.body["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")));
    assert!(made.head.contains(&format!("location: /api/v1/endpoints/{id}")));
    let path = format!("/endpoints/{id}");
    let shown = stage.get(&stage.a, &path).await;
    let text = shown.body.to_string();
    assert!(
        !text.contains("whsec_") && !text.contains("secret-value") && !text.contains("tok-en"),
        "{text}"
    );
    for (field, value) in [
        ("tenant_id", json!("a")),
        ("event_types", json!(["order.*"])),
        ("retry_schedule_ms", json!([1000, 60000])),
        ("timeout_ms", json!(5000)),
        ("max_in_flight", json!(3)),
        ("rate_limit", json!(7)),
        ("format", json!("raw")),
        ("auth", json!("bearer")),
        ("has_headers", json!(true)),
        ("signing", json!([{ "profile": "github", "header": "x-hub-signature-256" }])),
        (
            "batch",
            json!({ "max_events": 5, "max_wait_ms": 1000, "max_bytes": 1_048_576, "encoding": "array" }),
        ),
    ] {
        assert_eq!(shown.body[field], value, "{field}");
    }
    // What is not named stays, null takes away, and nobody looks at a URL that does not change.
    stage
        .client
        .batch_execute("UPDATE postrider.webhook_endpoints SET url = 'http://10.0.0.1/gone'")
        .await
        .expect("moved");
    let patch = r#"{"description":"d","rate_limit":null,"batch":null,"filter":null,"headers":null,"auth":null}"#;
    let patched = stage.with_key(&stage.a, "PATCH", &path, patch).await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    for (field, value) in [
        ("description", json!("d")),
        ("rate_limit", Value::Null),
        ("batch", Value::Null),
        ("filter", Value::Null),
        ("auth", Value::Null),
        ("has_headers", json!(false)),
        ("timeout_ms", json!(5000)),
        ("url", json!("http://10.0.0.1/gone")),
    ] {
        assert_eq!(patched.body[field], value, "{field}");
    }
    let other = stage.with_key(&stage.b, "PATCH", &path, patch).await;
    is_problem(&other, 404, "endpoint.not_found");
}

#[tokio::test]
async fn what_an_endpoint_cannot_be_is_refused_with_its_pointer_and_code() {
    let stage = Stage::set().await;
    let path = format!("/endpoints/{}", stage.endpoint("a").await);
    for (body, pointer, code) in [
        (r#"{}"#, "/url", "required"),
        (r#"{"url":"http://example.com/"}"#, "/url", "url.scheme"),
        (r#"{"url":"https://127.0.0.1/"}"#, "/url", "url.address_blocked"),
        (
            r#"{"url":"https://example.com/","event_types":["a b"]}"#,
            "/event_types/0",
            "filter.pattern",
        ),
        (
            r#"{"url":"https://example.com/","filter":{"plan":["x"]}}"#,
            "/filter/plan",
            "filter.unknown_key",
        ),
        (
            r#"{"url":"https://example.com/","headers":{"host":"x"}}"#,
            "/headers/host",
            "header.reserved",
        ),
        (
            r#"{"url":"https://example.com/","retry_schedule_ms":[]}"#,
            "/retry_schedule",
            "schedule.count",
        ),
        (r#"{"url":"https://example.com/","timeout_ms":99}"#, "/timeout", "timeout.range"),
        (
            r#"{"url":"https://example.com/","max_in_flight":0}"#,
            "/max_in_flight",
            "max_in_flight.range",
        ),
        (
            r#"{"url":"https://example.com/","ordering":"key","batch":{}}"#,
            "/batch",
            "batch.ordered",
        ),
        (
            r#"{"url":"https://example.com/","on_failure":"skip:3"}"#,
            "/on_failure",
            "on_failure.without_order",
        ),
        (
            r#"{"url":"https://example.com/","secret":{"kind":"opaque","value":"long-enough-secret-1"}}"#,
            "/signing",
            "signing.unsigned",
        ),
        (
            r#"{"url":"https://example.com/","secret":{"value":"nonsense"}}"#,
            "/secret/value",
            "secret.value",
        ),
        (
            r#"{"url":"https://example.com/","auth":{"type":"oauth2","token_url":"https://10.0.0.1/t","client_id":"a","client_secret":"b"}}"#,
            "/auth/token_url",
            "url.address_blocked",
        ),
        (r#"{"url":"https://example.com/","metadata":[]}"#, "/metadata", "type"),
        (r#"{"url":"https://example.com/","colour":"red"}"#, "/colour", "unknown_field"),
        (r#"{"url":"https://example.com/","description":"a\u0000"}"#, "/description", "nul"),
        (r#"{"url":"https://example.com/","metadata":{"a":["\u0000"]}}"#, "/metadata", "nul"),
        (r#"{"url":"https://example.com/","filter":{"labels":["\u0000"]}}"#, "/filter", "nul"),
    ] {
        let answer = stage.with_key(&stage.a, "POST", "/endpoints", body).await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status, error["pointer"].as_str(), error["code"].as_str()),
            (422, Some(pointer), Some(code)),
            "{body}: {}",
            answer.body
        );
        if code != "required" && code != "signing.unsigned" && code != "secret.value" {
            let patched = stage.with_key(&stage.a, "PATCH", &path, body).await;
            assert_eq!(patched.body["errors"][0]["code"], code, "{body}: {}", patched.body);
        }
    }
    assert_eq!(stage.text("SELECT count(*)::text FROM postrider.webhook_endpoints").await, "2");
    for body in [r#"{"tenant_id":"b"}"#, r#"{"enabled":false}"#, r#"{"secret":{}}"#] {
        let answer = stage.with_key(&stage.a, "PATCH", &path, body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["code"]),
            (422, &json!("read_only")),
            "{body}"
        );
    }
}
