//! The REST API over real sockets, with a real database behind it.

mod access;
mod bad_requests;
mod endpoint_fields;
mod endpoints;
mod event_types;
mod events;
mod idempotency;
mod keys;
mod openapi;
mod repair;
mod webhooks;

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
use serde_json::Value;
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
        Self::made(open, 10_000).await
    }

    /// With so many requests a second for each key.
    async fn limited(per_second: u32) -> Self {
        Self::made(false, per_second).await
    }

    async fn made(open: bool, per_second: u32) -> Self {
        let test = TestDb::new().await;
        let db = pool(test.url(), 8);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = Tasks::new(Stop::new());
        let keys = Arc::new(KeyRing::from_master_keys(&[MASTER_KEY]).expect("a key"));
        let egress = Egress { allow_http: false, addresses: AddressPolicy::default() };
        let per_second = per_second.try_into().expect("not zero");
        let api = Api::new(db.clone(), keys, egress, open, per_second);
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
        let mut headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        if !body.is_empty() && !headers.contains("content-type") {
            headers += "content-type: application/json\r\n";
        }
        self.send(method, &format!("/api/v1{path}"), &headers, body).await
    }

    /// A path that is not under `/api/v1`, without a key.
    async fn raw(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, "", "").await
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
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
