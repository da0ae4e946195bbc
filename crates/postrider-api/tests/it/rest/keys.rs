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
    ] {
        let answer = stage.with_key(&stage.admin, "POST", "/api-keys", body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["code"]),
            (422, &json!(code)),
            "{body}"
        );
    }
}
