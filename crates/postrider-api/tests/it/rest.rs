//! The REST API over real sockets, with a real database behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use postrider_api::{Api, Egress};
use postrider_core::address::AddressPolicy;
use postrider_core::api_key::{ApiKey, Scope};
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::seal::KeyRing;
use postrider_runtime::{Stop, Tasks};
use postrider_store::Db;
use postrider_store::admin::api_keys::{self, NewApiKey};
use postrider_testkit::TestDb;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{answer, pool};

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// An API with two tenants, a and b, each with an endpoint and a key, and an admin's key.
struct Stage {
    address: SocketAddr,
    db: Db,
    client: Client,
    admin: String,
    a: String,
    b: String,
    _tasks: Tasks,
    _test: TestDb,
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Stage {
    async fn set() -> Self {
        Self::with(false).await
    }

    async fn with(open: bool) -> Self {
        let test = TestDb::new().await;
        let db = pool(test.url(), 8);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = Tasks::new(Stop::new());
        let keys = Arc::new(KeyRing::from_master_keys(&[MASTER_KEY]).expect("a key"));
        let egress = Egress { allow_http: false, addresses: AddressPolicy::default() };
        let api = Api::new(db.clone(), keys, egress, open);
        tasks.spawn("api", api.serve(listener, Stop::new()));
        let key = async |number: u8, tenant: Option<&str>| {
            let key = ApiKey::generate(&[number; 32]);
            let new = NewApiKey { tenant, name: "test", scopes: &Scope::ALL, expires_in: None };
            api_keys::create(&db, &key, &new).await.expect("stored");
            key.expose().to_owned()
        };
        let (admin, a, b) = (key(1, None).await, key(2, Some("a")).await, key(3, Some("b")).await);
        let client = test.client().await;
        client
            .batch_execute("INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types) SELECT gen_random_uuid(), t, 'https://example.com/' || t, '{email.*}' FROM unnest('{a,b}'::text[]) t")
            .await
            .expect("inserted");
        Self { address, db, client, admin, a, b, _tasks: tasks, _test: test }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let (status, text) = answer(&mut stream).await;
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        Answer { status, head: head.to_lowercase(), body }
    }

    async fn with_key(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, &[("authorization", &format!("Bearer {key}"))], body).await
    }

    async fn get(&self, key: &str, path: &str) -> Answer {
        self.with_key(key, "GET", path, "").await
    }

    async fn text(&self, sql: &str) -> String {
        self.client.query_one(sql, &[]).await.expect("one row").get(0)
    }

    /// The endpoint of a tenant, as the API writes it.
    async fn endpoint(&self, tenant: &str) -> String {
        self.text(&format!("SELECT 'whk_' || replace(id::text, '-', '') FROM postrider.webhook_endpoints WHERE tenant_id = '{tenant}'")).await
    }

    /// An event of the tenant that was sent, or is to be.
    async fn sent(&self, tenant: &str, id: &str, status: &str) -> String {
        let publish = "SELECT postrider.publish_v1($1, $2, 'email.sent', '{\"n\":1}', NULL, NULL, NULL, NULL, NULL, false)";
        self.client.query_one(publish, &[&tenant, &id]).await.expect("published");
        let take = "DELETE FROM postrider.webhook_events_pending p USING postrider.webhook_events v, postrider.webhook_endpoints w
             WHERE v.seq = p.seq AND v.tenant_id = $1 AND v.id = $2 AND w.tenant_id = $1 RETURNING v.seq, v.created_at, w.id";
        let row = self.client.query_one(take, &[&tenant, &id]).await.expect("taken");
        let (seq, at, endpoint): (i64, jiff::Timestamp, Uuid) =
            (row.get(0), row.get(1), row.get(2));
        let ms = u64::try_from(at.as_millisecond()).expect("after 1970");
        let delivery = DeliveryId::derive(ms, tenant, id, EndpointId(endpoint), 0);
        let (table, next, closed) = match status {
            "pending" => ("open", "'3000-01-01'::timestamptz", "NULL::timestamptz"),
            _ => ("closed", "NULL::timestamptz", "clock_timestamp()"),
        };
        let insert = format!(
            "INSERT INTO postrider.webhook_deliveries_{table} (id, endpoint_id, event_seq, event_created_at, open, status, tenant_id, next_attempt_at, closed_at)
             VALUES ($1, $2, $3, $4, {}, '{status}', $5, {next}, {closed})", table == "open"
        );
        let values: [&(dyn ToSql + Sync); 5] = [&delivery.0, &endpoint, &seq, &at, &tenant];
        self.client.execute(&insert, &values).await.expect("inserted");
        delivery.to_string()
    }
}

fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.body
    );
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    let request = answer.body["request_id"].as_str().expect("a request id");
    assert!(answer.head.contains(&format!("x-request-id: {request}")), "{}", answer.head);
}

#[tokio::test]
async fn nobody_gets_in_without_a_live_key() {
    let stage = Stage::set().await;
    let none = stage.ask("GET", "/events", &[], "").await;
    is_problem(&none, 401, "auth.key");
    assert!(none.head.contains("www-authenticate: bearer"));
    for wrong in ["Bearer x", "Bearer prk_", "Basic YTpi", "Bearer", ""] {
        is_problem(
            &stage.ask("GET", "/events", &[("authorization", wrong)], "").await,
            401,
            "auth.key",
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
    is_problem(&stage.get(&stage.a, "/events").await, 401, "auth.key");
}

#[tokio::test]
async fn an_open_api_lets_this_machine_in_and_still_refuses_a_wrong_key() {
    let stage = Stage::with(true).await;
    assert_eq!(
        stage.ask("GET", "/endpoints", &[], "").await.body["data"].as_array().map(Vec::len),
        Some(2)
    );
    is_problem(&stage.get("prk_wrong", "/endpoints").await, 401, "auth.key");
    // A page in a browser on this machine, and a name of somebody else's that leads here.
    is_problem(
        &stage.ask("GET", "/endpoints", &[("origin", "https://example.com")], "").await,
        401,
        "auth.key",
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
    is_problem(&stage.with_key(key.expose(), "POST", "/events", event).await, 403, "auth.scope");
    let disable = format!("/endpoints/{endpoint}/disable");
    is_problem(&stage.with_key(key.expose(), "POST", &disable, "").await, 403, "auth.scope");
    is_problem(&stage.get(&stage.a, "/api-keys").await, 403, "auth.scope");
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
    for path in [
        "/events?since=2000-01-01T00:00:00Z",
        &format!("/endpoints/{endpoint}/deliveries"),
        "/audit",
    ] {
        let answer = stage.get(&stage.a, path).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.body.to_string().contains("\"b\""), "{path}: {}", answer.body);
    }
    let publish = r#"{"type":"email.sent","data":{},"tenant_id":"b"}"#;
    assert_eq!(stage.with_key(&stage.a, "POST", "/events", publish).await.status, 404);
    let after = stage.text("SELECT string_agg(t::text, '|') FROM (SELECT * FROM postrider.webhook_endpoints ORDER BY id) t").await;
    assert_eq!(before, after);
    assert_eq!(stage.get(&stage.b, &format!("/endpoints/{endpoint}")).await.status, 200);
    assert_eq!(stage.get(&stage.admin, &format!("/deliveries/{delivery}")).await.status, 200);
}

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
        (r#"{"type":"email.sent","data":{},"atributes":{}}"#, "/atributes", Some("json")),
        (r#"{"type":"email.sent"}"#, "", Some("json")),
        (r#"{"type":7,"data":{}}"#, "/type", Some("json")),
        (r#"{"type":"email.sent","data":{},"labels":["a",7]}"#, "/labels/1", Some("json")),
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
        assert_eq!(answer.status, 422, "{body}: {}", answer.body);
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
        is_problem(&other, 400, "cursor.filters");
        path = format!("/events?limit=2&type=email.sent&cursor={cursor}");
    }
    assert_eq!(seen, ["e4", "e3", "e2", "e1", "e0"]);
    is_problem(&stage.get(&stage.a, "/events?cursor=AAAA").await, 400, "cursor.syntax");
    for wrong in ["limit=0", "limit=101", "typ=email.sent", "since=yesterday", "type=a&type=b"] {
        assert_eq!(stage.get(&stage.a, &format!("/events?{wrong}")).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn a_closed_delivery_is_sent_once_more_and_an_open_one_is_made_due_or_cancelled() {
    let stage = Stage::set().await;
    let closed = stage.sent("a", "evt_1", "delivered").await;
    let again = stage.with_key(&stage.a, "POST", &format!("/deliveries/{closed}/retry"), "").await;
    assert_eq!((again.status, &again.body["redelivered"]), (200, &json!(true)), "{}", again.body);
    assert_eq!(again.body["replay"], 1);
    let new = again.body["delivery_id"].as_str().expect("an id").to_owned();
    let shown = stage.get(&stage.a, &format!("/deliveries/{new}")).await.body;
    assert_eq!(
        (&shown["status"], &shown["replay"], &shown["event_id"]),
        (&json!("pending"), &json!(1), &json!("evt_1"))
    );
    // It is owed now, so another is refused.
    let twice = stage.with_key(&stage.a, "POST", "/events/evt_1/redeliver", "").await;
    assert_eq!(twice.body["data"][0]["reason"], "still_owed");
    let cancelled =
        stage.with_key(&stage.a, "POST", &format!("/deliveries/{new}/cancel"), "").await;
    assert_eq!(
        (cancelled.status, &cancelled.body["status"], &cancelled.body["reason"]),
        (200, &json!("cancelled"), &json!("by_hand"))
    );
    is_problem(
        &stage.with_key(&stage.a, "POST", &format!("/deliveries/{new}/cancel"), "").await,
        409,
        "delivery.closed",
    );

    let open = stage.sent("a", "evt_2", "pending").await;
    let due = stage.with_key(&stage.a, "POST", &format!("/deliveries/{open}/retry"), "").await;
    assert_eq!((due.status, &due.body["changed"]), (200, &json!(true)));
    stage.client.execute("UPDATE postrider.webhook_deliveries_open SET lease_owner = 1, next_attempt_at = clock_timestamp() + interval '1 min'", &[]).await.expect("leased");
    is_problem(
        &stage.with_key(&stage.a, "POST", &format!("/deliveries/{open}/cancel"), "").await,
        409,
        "delivery.in_flight",
    );

    stage
        .client
        .batch_execute(
            "UPDATE postrider.webhook_endpoints SET enabled = false, disabled_reason = 'x'",
        )
        .await
        .expect("disabled");
    is_problem(
        &stage.with_key(&stage.a, "POST", &format!("/deliveries/{closed}/retry"), "").await,
        409,
        "endpoint.disabled",
    );
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
    is_problem(&stage.get(&key, "/endpoints").await, 401, "auth.key");
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
        (r#"{"url":"https://example.com/","colour":"red"}"#, "/colour", "json"),
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
    is_problem(refused, 409, "endpoint.limit");
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

#[tokio::test]
async fn a_tenant_recovers_its_own_endpoint_in_the_background() {
    let stage = Stage::set().await;
    stage.sent("a", "evt_1", "exhausted").await;
    stage.sent("a", "evt_2", "delivered").await;
    let path = format!("/endpoints/{}/recover", stage.endpoint("a").await);
    let since = r#""since":"2020-01-01T00:00:00Z""#;
    let dry =
        stage.with_key(&stage.a, "POST", &path, &format!("{{{since},\"dry_run\":true}}")).await;
    assert_eq!(dry.body, json!({ "expected": 1, "complete": true }));
    let made =
        stage.with_key(&stage.a, "POST", &path, &format!("{{{since},\"reason\":\"x\"}}")).await;
    assert_eq!(
        (made.status, &made.body["state"], &made.body["expected"]),
        (202, &json!("queued"), &json!(1)),
        "{}",
        made.body
    );
    let job = format!("/jobs/{}", made.body["id"].as_str().expect("an id"));
    for (method, path) in [("GET", job.clone()), ("POST", format!("{job}/stop"))] {
        is_problem(&stage.with_key(&stage.b, method, &path, "").await, 404, "job.not_found");
    }
    is_problem(
        &stage.with_key(&stage.b, "POST", &path, &format!("{{{since}}}")).await,
        404,
        "endpoint.not_found",
    );
    assert_eq!(stage.get(&stage.b, "/jobs").await.body["data"], json!([]));
    assert_eq!(stage.get(&stage.a, "/jobs").await.body["data"][0]["id"], made.body["id"]);
    is_problem(
        &stage.with_key(&stage.a, "POST", &path, &format!("{{{since}}}")).await,
        409,
        "job.under_way",
    );
    let stopped = stage.with_key(&stage.a, "POST", &format!("{job}/stop"), "").await;
    assert_eq!((stopped.status, &stopped.body["stop"]), (200, &json!(true)), "{}", stopped.body);
    for (body, pointer) in [
        (r#"{}"#.to_owned(), ""),
        (r#"{"since":"yesterday"}"#.to_owned(), "/since"),
        (format!(r#"{{{since},"rate":0}}"#), "/rate"),
        (format!(r#"{{{since},"statuses":["dead"]}}"#), "/statuses"),
        (format!(r#"{{{since},"statuses":["pending"]}}"#), "/statuses"),
        (format!(r#"{{{since},"event_types":["a b"]}}"#), "/event_types/0"),
        (format!(r#"{{{since},"until":"2019-01-01T00:00:00Z"}}"#), "/until"),
    ] {
        let answer = stage.with_key(&stage.a, "POST", &path, &body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{body}: {}",
            answer.body
        );
    }
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

#[tokio::test]
async fn an_event_that_is_not_fanned_out_yet_is_left_to_fan_out() {
    let stage = Stage::set().await;
    let event = r#"{"type":"email.sent","data":{},"id":"early"}"#;
    assert_eq!(stage.with_key(&stage.a, "POST", "/events", event).await.status, 201);
    let endpoint = stage.endpoint("a").await;
    let body = format!(r#"{{"endpoint_id":"{endpoint}"}}"#);
    let answer = stage.with_key(&stage.a, "POST", "/events/early/redeliver", &body).await;
    assert_eq!(answer.body["data"][0]["redelivered"], false, "{}", answer.body);
    assert_eq!(stage.text("SELECT count(*)::text FROM postrider.webhook_deliveries").await, "0");
}

#[tokio::test]
async fn what_was_asked_with_a_key_is_done_though_who_asked_has_gone() {
    let stage = Stage::set().await;
    // Held up in the middle by somebody who has the row that orders a tenant's endpoints.
    stage.client.batch_execute("BEGIN; SELECT FROM postrider.webhook_routing_versions WHERE tenant_id = 'a' FOR UPDATE").await.expect("held");
    let body = r#"{"url":"https://example.com/gone"}"#;
    let request = format!(
        "POST /api/v1/endpoints HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nidempotency-key: gone\r\ncontent-length: {}\r\n\r\n{body}",
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
