//! Keys: made, listed, ended, shown once.

use serde_json::json;

use super::{Stage, is_problem};

#[tokio::test]
async fn keys_are_made_listed_and_ended_and_shown_once() {
    let stage = Stage::set().await;
    let body = r#"{"name":"ci","tenant_id":"a","scopes":["read"],"expires_in":3600}"#;
    let made = stage.with_key(&stage.admin, "POST", "/api-keys", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let key = made.body["key"].as_str().expect("the key").to_owned();
    assert_eq!(stage.get(&key, "/endpoints").await.status, 200);
    let listed = stage.get(&stage.admin, "/api-keys?tenant_id=a").await.body;
    assert!(!listed.to_string().contains(&key) && listed.to_string().contains("\"hint\""));
    let id = made.body["id"].as_str().expect("an id");
    assert_eq!(
        stage.with_key(&stage.admin, "DELETE", &format!("/api-keys/{id}"), "").await.status,
        200
    );
    is_problem(&stage.get(&key, "/endpoints").await, 401, "unauthorized");
    let audit = stage.get(&stage.admin, &format!("/audit?subject={id}")).await.body;
    let actions: Vec<&str> = audit["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert_eq!(actions, ["api_key.updated", "api_key.created"]);
    assert!(audit["data"][0]["actor"].as_str().is_some_and(|actor| actor.starts_with("key:key_")));
    for (body, code) in [
        (r#"{"name":""}"#, "name.length"),
        (r#"{"name":"x","scopes":[]}"#, "scopes.empty"),
        (r#"{"name":"x","scopes":["all"]}"#, "scopes.unknown"),
        (r#"{"name":"x","tenant_id":"a b"}"#, "tenant.syntax"),
        (r#"{"name":"x","expires_in":0}"#, "expires_in.range"),
    ] {
        let answer = stage.with_key(&stage.admin, "POST", "/api-keys", body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["code"]),
            (422, &json!(code)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_key_does_not_end_itself_and_too_many_requests_are_told_so() {
    let stage = Stage::limited(20).await;
    let listed = stage.get(&stage.admin, "/api-keys").await;
    assert!(listed.head.contains("ratelimit-policy: \"key\";q=20;w=1"), "{}", listed.head);
    assert!(listed.head.contains("ratelimit: \"key\";r=19;t=1"), "{}", listed.head);
    let keys = listed.body["data"].as_array().expect("a list");
    let own = keys.iter().find(|key| key["tenant_id"].is_null()).expect("the admin's");
    let path = format!("/api-keys/{}", own["id"].as_str().expect("an id"));
    is_problem(&stage.with_key(&stage.admin, "DELETE", &path, "").await, 409, "api_key.own");
    let asked = (0..60).map(|_| stage.get(&stage.a, "/endpoints"));
    let answers = futures_util::future::join_all(asked).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty() && refused.len() <= 40, "{} refused", refused.len());
    is_problem(refused[0], 429, "rate_limited");
    assert!(refused[0].head.contains("retry-after: 1"), "{}", refused[0].head);
    // One key's haste is not another's.
    assert_eq!(stage.get(&stage.b, "/endpoints").await.status, 200);
}
