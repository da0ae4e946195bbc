//! Who gets in, and what each may see and do.

use postrider_core::api_key::ApiKey;
use postrider_core::api_key::Scope;
use postrider_store::admin::api_keys;
use postrider_store::admin::api_keys::NewApiKey;
use tokio::net::TcpStream;

use super::{Stage, is_problem};
use crate::answer;
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn nobody_gets_in_without_a_live_key() {
    let stage = Stage::set().await;
    let none = stage.ask("GET", "/events", &[], "").await;
    is_problem(&none, 401, "unauthorized");
    assert!(none.head.contains("www-authenticate: bearer"));
    for wrong in ["Bearer x", "Bearer prk_", "Basic YTpi", "Bearer", ""] {
        is_problem(
            &stage.ask("GET", "/events", &[("authorization", wrong)], "").await,
            401,
            "unauthorized",
        );
    }
    assert_eq!(stage.get(&stage.a, "/events").await.status, 200);
    stage
        .client
        .execute(
            "UPDATE postrider.api_keys SET revoked_at = clock_timestamp() WHERE tenant_id = 'a'",
            &[],
        )
        .await
        .expect("revoked");
    is_problem(&stage.get(&stage.a, "/events").await, 401, "unauthorized");
}

#[tokio::test]
async fn an_open_api_lets_this_machine_in_and_still_refuses_a_wrong_key() {
    let stage = Stage::with(true).await;
    assert_eq!(
        stage.ask("GET", "/endpoints", &[], "").await.body["data"].as_array().map(Vec::len),
        Some(2)
    );
    is_problem(&stage.get("prk_wrong", "/endpoints").await, 401, "unauthorized");
    // A page in a browser on this machine, and a name of somebody else's that leads here.
    is_problem(
        &stage.ask("GET", "/endpoints", &[("origin", "https://example.com")], "").await,
        401,
        "unauthorized",
    );
    let rebound =
        "GET /api/v1/endpoints HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(stage.address).await.expect("connects");
    stream.write_all(rebound.as_bytes()).await.expect("sends");
    assert_eq!(answer(&mut stream).await.0, 401);
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let stage = Stage::set().await;
    let key = ApiKey::generate(&[9; 32]);
    let new =
        NewApiKey { tenant: Some("a"), name: "reader", scopes: &[Scope::Read], expires_in: None };
    api_keys::create(&stage.db, &key, &new).await.expect("stored");
    let endpoint = stage.endpoint("a").await;
    assert_eq!(stage.get(key.expose(), "/endpoints").await.status, 200);
    let event = r#"{"type":"email.sent","data":{}}"#;
    is_problem(&stage.with_key(key.expose(), "POST", "/events", event).await, 403, "forbidden");
    let disable = format!("/endpoints/{endpoint}/disable");
    is_problem(&stage.with_key(key.expose(), "POST", &disable, "").await, 403, "forbidden");
    is_problem(&stage.get(&stage.a, "/api-keys").await, 403, "forbidden");
    assert_eq!(stage.get(&stage.admin, "/api-keys").await.status, 200);
}

#[tokio::test]
async fn a_tenant_reaches_nothing_of_another_by_any_path() {
    let stage = Stage::set().await;
    let delivery = stage.sent("b", "evt_b", "delivered").await;
    let endpoint = stage.endpoint("b").await;
    let before = stage.text("SELECT string_agg(t::text, '|') FROM (SELECT * FROM postrider.webhook_endpoints ORDER BY id) t").await;
    for (method, path) in [
        ("GET", "/events/evt_b".to_owned()),
        ("GET", "/events/evt_b/deliveries".to_owned()),
        ("GET", "/events/evt_b/explain".to_owned()),
        ("POST", "/events/evt_b/redeliver".to_owned()),
        ("GET", "/events/evt_b?tenant_id=b".to_owned()),
        ("GET", "/events?tenant_id=b".to_owned()),
        ("GET", "/endpoints?tenant_id=b".to_owned()),
        ("GET", "/audit?tenant_id=b".to_owned()),
        ("GET", format!("/endpoints/{endpoint}")),
        ("GET", format!("/endpoints/{endpoint}/deliveries")),
        ("DELETE", format!("/endpoints/{endpoint}")),
        ("POST", format!("/endpoints/{endpoint}/enable")),
        ("POST", format!("/endpoints/{endpoint}/disable")),
        ("GET", format!("/deliveries/{delivery}")),
        ("GET", format!("/deliveries/{delivery}/attempts")),
        ("POST", format!("/deliveries/{delivery}/retry")),
        ("POST", format!("/deliveries/{delivery}/cancel")),
    ] {
        let answer = stage.with_key(&stage.a, method, &path, "").await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        assert!(!answer.body.to_string().contains("example.com/b"), "{}", answer.body);
    }
    for path in ["/events?since=2000-01-01T00:00:00Z", "/audit"] {
        let answer = stage.get(&stage.a, path).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.to_string().contains("\"b\""), "{path}: {}", answer.body);
    }
    let publish = r#"{"type":"email.sent","data":{},"tenant_id":"b"}"#;
    is_problem(&stage.with_key(&stage.a, "POST", "/events", publish).await, 422, "unknown_field");
    let after = stage.text("SELECT string_agg(t::text, '|') FROM (SELECT * FROM postrider.webhook_endpoints ORDER BY id) t").await;
    assert_eq!(before, after);
    assert_eq!(stage.get(&stage.b, &format!("/endpoints/{endpoint}")).await.status, 200);
    assert_eq!(stage.get(&stage.admin, &format!("/deliveries/{delivery}")).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_too() {
    let stage = Stage::set().await;
    let large = "x".repeat(3 << 20);
    is_problem(&stage.with_key(&stage.a, "POST", "/events", &large).await, 413, "body.size");
    is_problem(&stage.get(&stage.a, "/events/%ff").await, 400, "request");
    for path in ["/events/a%00b", "/endpoints/whk_%00", "/deliveries/x", "/jobs/job_1"] {
        assert_eq!(stage.get(&stage.a, path).await.status, 404, "{path}");
    }
    for query in [
        "/events?type=%00",
        "/audit?subject=%00",
        "/events?since=-9999-01-01T00:00:00Z",
        "/events?since=9999-12-31T23:59:59Z",
    ] {
        let answer = stage.get(&stage.a, query).await;
        assert!(answer.status < 500, "{query}: {}", answer.body);
    }
}
