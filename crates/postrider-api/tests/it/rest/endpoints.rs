//! An endpoint's life: switched, deleted, rotated, tested, limited in number, changed by two at once.

use serde_json::Value;
use serde_json::json;

use super::{Stage, is_problem};

#[tokio::test]
async fn an_endpoint_is_switched_and_deleted_and_what_it_was_owed_is_cancelled() {
    let stage = Stage::set().await;
    let endpoint = stage.endpoint("a").await;
    let owed = stage.sent("a", "evt_1", "pending").await;
    let path = format!("/endpoints/{endpoint}");
    let off = stage.with_key(&stage.a, "POST", &format!("{path}/disable"), "").await;
    assert_eq!((off.status, &off.body["enabled"]), (200, &json!(false)), "{}", off.body);
    let delivery = stage.get(&stage.a, &format!("/deliveries/{owed}")).await.body;
    assert_eq!(
        (&delivery["status"], &delivery["reason"]),
        (&json!("cancelled"), &json!("endpoint_disabled"))
    );
    let on = stage.with_key(&stage.a, "POST", &format!("{path}/enable"), "").await;
    assert_eq!((on.status, &on.body["enabled"]), (200, &json!(true)));
    assert_eq!(stage.with_key(&stage.a, "DELETE", &path, "").await.status, 200);
    is_problem(&stage.get(&stage.a, &path).await, 404, "endpoint.not_found");
    let history = stage.get(&stage.a, &format!("{path}/deliveries")).await.body;
    assert_eq!(history["data"].as_array().map(Vec::len), Some(1), "{history}");
    is_problem(
        &stage.ask("PUT", &path, &[("authorization", &format!("Bearer {}", stage.a))], "").await,
        405,
        "method",
    );
    is_problem(&stage.get(&stage.a, "/nothing").await, 404, "not_found");
}

#[tokio::test]
async fn a_change_on_what_somebody_else_changed_is_refused() {
    let stage = Stage::set().await;
    let path = format!("/endpoints/{}", stage.endpoint("a").await);
    let shown = stage.get(&stage.a, &path).await;
    let tag =
        shown.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
    let bearer = format!("Bearer {}", stage.a);
    let headers = [("authorization", &*bearer), ("if-match", &*tag)];
    let patch = |n: u8| format!(r#"{{"description":"{n}"}}"#);
    assert_eq!(stage.ask("PATCH", &path, &headers, &patch(1)).await.status, 200);
    is_problem(&stage.ask("PATCH", &path, &headers, &patch(2)).await, 412, "endpoint.changed");
    // Of many at once with the same tag one comes through.
    let shown = stage.get(&stage.a, &path).await;
    let tag =
        shown.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
    let headers = [("authorization", &*bearer), ("if-match", &*tag)];
    let bodies: Vec<String> = (10..30).map(patch).collect();
    let asked = bodies.iter().map(|body| stage.ask("PATCH", &path, &headers, body));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 19);
}

#[tokio::test]
async fn a_tenant_has_no_more_endpoints_than_it_may_however_many_ask_at_once() {
    let stage = Stage::set().await;
    stage
        .client
        .batch_execute("UPDATE postrider.installation SET max_endpoints_per_tenant = 5")
        .await
        .expect("set");
    let body = r#"{"url":"https://example.com/many"}"#;
    let asked = (0..20).map(|_| stage.with_key(&stage.a, "POST", "/endpoints", body));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        4,
        "it has one already"
    );
    let refused = answers.iter().find(|answer| answer.status != 201).expect("one refused");
    is_problem(refused, 422, "quota");
}

#[tokio::test]
async fn a_secret_is_rotated_and_a_test_event_is_owed() {
    let stage = Stage::set().await;
    let made =
        stage.with_key(&stage.a, "POST", "/endpoints", r#"{"url":"https://example.com/s"}"#).await;
    let path = format!("/endpoints/{}", made.body["id"].as_str().expect("an id"));
    let rotated = stage
        .with_key(&stage.a, "POST", &format!("{path}/rotate-secret"), r#"{"overlap":60}"#)
        .await;
    assert_eq!(rotated.status, 201, "{}", rotated.body);
    assert_ne!(rotated.body["secret"], made.body["secret"]);
    let pair = stage
        .with_key(
            &stage.a,
            "POST",
            &format!("{path}/rotate-secret"),
            r#"{"secret":{"kind":"ed25519"}}"#,
        )
        .await;
    assert_eq!((pair.status, &pair.body["secret"]), (201, &Value::Null));
    assert!(pair.body["public_key"].as_str().is_some_and(|key| key.starts_with("whpk_")));
    let forever = stage
        .with_key(&stage.a, "POST", &format!("{path}/rotate-secret"), r#"{"overlap":null}"#)
        .await;
    assert_eq!(forever.status, 201, "{}", forever.body);
    let lasting = "SELECT count(*)::text FROM postrider.webhook_endpoint_secrets s JOIN postrider.webhook_endpoints e ON e.id = s.endpoint_id WHERE e.url = 'https://example.com/s' AND s.expires_at IS NULL";
    assert_eq!(stage.text(lasting).await, "3", "two of the new ones and the one before them");
    let far = stage
        .with_key(
            &stage.a,
            "POST",
            &format!("{path}/rotate-secret"),
            r#"{"overlap":18446744073709551615}"#,
        )
        .await;
    assert_eq!((far.status, &far.body["errors"][0]["code"]), (422, &json!("overlap.range")));
    let tried = stage.with_key(&stage.a, "POST", &format!("{path}/test"), "").await;
    assert_eq!(tried.status, 202, "{}", tried.body);
    let delivery = tried.body["delivery_id"].as_str().expect("a delivery");
    assert_eq!(
        stage.get(&stage.a, &format!("/deliveries/{delivery}")).await.body["event_type"],
        "postrider.test"
    );
}
