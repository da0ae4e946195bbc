//! The same asked twice, and asked by somebody who has gone since.

use serde_json::json;
use tokio::net::TcpStream;

use super::Stage;
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn an_idempotency_key_makes_one_thing_and_gives_one_answer() {
    let stage = Stage::set().await;
    let body = r#"{"type":"email.sent","data":{}}"#;
    let bearer = format!("Bearer {}", stage.a);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k-1")];
    let asked = (0..50).map(|_| stage.ask("POST", "/events", &headers, body));
    let answers = futures_util::future::join_all(asked).await;
    let made = answers
        .iter()
        .filter(|a| a.status == 201 && !a.head.contains("idempotency-replayed"))
        .count();
    let rest = answers
        .iter()
        .filter(|a| a.status == 409 || a.head.contains("idempotency-replayed"))
        .count();
    assert_eq!((made, rest), (1, 49));
    assert_eq!(stage.text("SELECT count(*)::text FROM postrider.webhook_events").await, "1");
    let again = stage.ask("POST", "/events", &headers, body).await;
    let first = answers.iter().find(|answer| answer.status == 201).expect("the first");
    assert_eq!((again.status, &again.body), (201, &first.body));
    let other =
        stage.ask("POST", "/events", &headers, r#"{"type":"email.opened","data":{}}"#).await;
    assert_eq!(
        (other.status, &other.body["errors"][0]["code"]),
        (422, &json!("idempotency_key.reused"))
    );
    // Another's key is another key.
    let b = format!("Bearer {}", stage.b);
    let theirs = stage
        .ask("POST", "/events", &[("authorization", &b), ("idempotency-key", "k-1")], body)
        .await;
    assert_eq!(theirs.status, 201);
    // What is shown once is given again to who has the key, and is sealed meanwhile.
    let admin = format!("Bearer {}", stage.admin);
    let headers = [("authorization", &*admin), ("idempotency-key", "k")];
    let made = stage.ask("POST", "/api-keys", &headers, r#"{"name":"x"}"#).await;
    let again = stage.ask("POST", "/api-keys", &headers, r#"{"name":"x"}"#).await;
    assert_eq!((made.status, &made.body), (201, &again.body));
    let key = made.body["key"].as_str().expect("the key");
    let kept = stage
        .text(
            "SELECT string_agg(encode(body_sealed, 'escape'), ' ') FROM postrider.idempotency_keys",
        )
        .await;
    assert!(!kept.contains(key));
}

#[tokio::test]
async fn what_was_asked_with_a_key_is_done_though_who_asked_has_gone() {
    let stage = Stage::set().await;
    // Held up in the middle by somebody who has the row that orders a tenant's endpoints.
    stage.client.batch_execute("BEGIN; SELECT FROM postrider.webhook_routing_versions WHERE tenant_id = 'a' FOR UPDATE").await.expect("held");
    let body = r#"{"url":"https://example.com/gone"}"#;
    let request = format!(
        "POST /api/v1/endpoints HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nidempotency-key: gone\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        stage.a,
        body.len()
    );
    let mut stream = TcpStream::connect(stage.address).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("sends");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    drop(stream);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    stage.client.batch_execute("ROLLBACK").await.expect("let go");
    let bearer = format!("Bearer {}", stage.a);
    let headers = [("authorization", &*bearer), ("idempotency-key", "gone")];
    let again = loop {
        let again = stage.ask("POST", "/endpoints", &headers, body).await;
        if again.status != 409 {
            break again;
        }
    };
    assert!(again.status == 201 && again.head.contains("idempotency-replayed"), "{}", again.head);
    assert_eq!(
        stage
            .text("SELECT count(*)::text FROM postrider.webhook_endpoints WHERE url LIKE '%gone'")
            .await,
        "1"
    );
}
