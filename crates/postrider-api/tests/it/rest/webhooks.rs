//! `/webhooks` with calls as e2a's clients make them, and answers in the shapes they read.

use serde_json::{Value, json};

use super::{Stage, is_problem};

#[tokio::test]
async fn a_webhook_lives_in_the_shapes_that_its_clients_know() {
    let stage = Stage::set().await;
    let a = stage.a.clone();
    let body = json!({
        "url": "https://example.com/e2a", "events": ["email.received", "email.bounced"], "description": "mail",
        "filters": { "agent_ids": ["agt_1"], "conversation_ids": [], "labels": ["vip"] },
    });
    let made = stage.with_key(&a, "POST", "/webhooks", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().expect("an id").to_owned();
    assert!(made.body["signing_secret"].as_str().is_some_and(|s| s.starts_with("whsec_")));
    for (name, value) in body.as_object().expect("fields") {
        assert_eq!(&made.body[name], value, "{name}");
    }
    let shown = stage.get(&a, &format!("/webhooks/{id}")).await;
    assert_eq!((shown.status, &shown.body["signing_secret"]), (200, &Value::Null));
    assert_eq!(shown.body["enabled"], true);
    let list = stage.get(&a, "/webhooks").await;
    // The one of the stage is among them.
    assert_eq!(list.body["webhooks"].as_array().map(Vec::len), Some(2));
    // It is an endpoint like others, and signs as e2a does, too.
    let endpoint = stage.get(&a, &format!("/endpoints/{id}")).await;
    assert_eq!(endpoint.body["signing"][0]["profile"], "stripe");
    assert_eq!(
        endpoint.body["signing"][0]["header"].as_str().map(str::to_lowercase).as_deref(),
        Some("x-e2a-signature")
    );

    let patch = r#"{"events":["email.sent"],"filters":{},"enabled":false}"#;
    let patched = stage.with_key(&a, "PATCH", &format!("/webhooks/{id}"), patch).await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert_eq!(
        (&patched.body["events"], &patched.body["filters"], &patched.body["enabled"]),
        (&json!(["email.sent"]), &json!({}), &json!(false))
    );
    let test = stage.with_key(&a, "POST", &format!("/webhooks/{id}/test"), "").await;
    is_problem(&test, 409, "endpoint.disabled");
    let path = format!("/webhooks/{id}");
    stage.with_key(&a, "PATCH", &path, r#"{"enabled":true}"#).await;
    let test =
        stage.with_key(&a, "POST", &format!("{path}/test"), r#"{"event":"email.received"}"#).await;
    assert_eq!(test.status, 200, "{}", test.body);
    assert!(test.body["delivery_id"].as_str().is_some_and(|id| id.starts_with("whd_")));
    let deliveries = stage.get(&a, &format!("{path}/deliveries?status=pending&limit=5")).await;
    let first = &deliveries.body["deliveries"][0];
    assert_eq!((&first["id"], &first["status"]), (&test.body["delivery_id"], &json!("pending")));
    let rotated = stage.with_key(&a, "POST", &format!("{path}/rotate-secret"), "").await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    assert_ne!(rotated.body["signing_secret"], made.body["signing_secret"]);
    assert!(rotated.body["previous_secret_expires_at"].is_string());
    let deleted = stage.with_key(&a, "DELETE", &path, "").await;
    assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
    is_problem(&stage.get(&a, &path).await, 404, "endpoint.not_found");
}

#[tokio::test]
async fn what_failed_since_a_time_is_sent_again() {
    let stage = Stage::set().await;
    stage.sent("a", "evt_1", "exhausted").await;
    stage.sent("a", "evt_2", "delivered").await;
    let path = format!("/webhooks/{}", stage.endpoint("a").await);
    let failed = stage.get(&stage.a, &format!("{path}/deliveries?status=failed")).await;
    assert_eq!(failed.body["deliveries"].as_array().map(Vec::len), Some(1), "{}", failed.body);
    let since = stage.text("SELECT to_json(clock_timestamp() - interval '1 hour') #>> '{}'").await;
    let asked = json!({ "since": since }).to_string();
    let done = stage.with_key(&stage.a, "POST", &format!("{path}/redeliver-since"), &asked).await;
    assert_eq!((done.status, &done.body["scheduled"]), (200, &json!(1)), "{}", done.body);
    let long_ago = r#"{"since":"2020-01-01T00:00:00Z"}"#;
    let refused =
        stage.with_key(&stage.a, "POST", &format!("{path}/redeliver-since"), long_ago).await;
    is_problem(&refused, 400, "time");
}

#[tokio::test]
async fn what_cannot_be_is_refused_as_its_clients_expect() {
    let stage = Stage::set().await;
    for body in [
        r#"{"url":"","events":["email.sent"]}"#,
        r#"{"url":"https://example.com/","events":[]}"#,
        r#"{"url":"https://example.com/","events":["no such type!"]}"#,
        r#"{"url":"https://127.0.0.1/","events":["email.sent"]}"#,
        r#"{"url":"https://example.com/"}"#,
    ] {
        let answer = stage.with_key(&stage.a, "POST", "/webhooks", body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    }
    let endpoint = stage.endpoint("b").await;
    let theirs = format!("/webhooks/{endpoint}");
    is_problem(&stage.get(&stage.a, &theirs).await, 404, "endpoint.not_found");
    let patch = stage.with_key(&stage.a, "PATCH", &theirs, r#"{"enabled":false}"#).await;
    is_problem(&patch, 404, "endpoint.not_found");
    let bad = stage.get(&stage.b, &format!("{theirs}/deliveries?status=dead")).await;
    is_problem(&bad, 400, "status");
}
