//! A whole run without a daemon: real transactions, real requests, real journals, judged. The test plays the worker.

use std::path::PathBuf;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use postrider_testkit::{
    BUSINESS_TABLE, DatabaseState, EndpointEntry, Journal, Journals, PublisherEntry, Receiver,
    TestDb, Verdict, check, monotonic_ns, sha256_hex,
};
use uuid::Uuid;

struct Stage {
    db: TestDb,
    folder: PathBuf,
    publisher: Journal,
    receiver: Receiver,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Stage {
    async fn set(name: &str) -> Stage {
        let db = TestDb::new().await;
        let folder = std::env::temp_dir().join(format!("run-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let publisher = Journal::append(&folder.join("publisher-1.jsonl")).unwrap();
        let receiver = Receiver::options().journal(folder.join("sink-1.jsonl")).start().await;
        let endpoints = Journal::append(&folder.join("endpoints.jsonl")).unwrap();
        for (n, tenant) in ["acme", "beta"].iter().enumerate() {
            endpoints.write(&EndpointEntry {
                token: format!("token-of-{tenant}"),
                endpoint: Uuid::from_u128(n as u128),
                tenant: (*tenant).to_owned(),
                event_types: vec!["email.*".to_owned()],
                since: 0,
                until: None,
            });
        }
        Stage {
            db,
            folder,
            publisher,
            receiver,
            http: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Publishes in a transaction; `end` is its last statement, `told` what the publisher writes down then.
    async fn publish(&self, txn: &str, tenant: &str, end: &str, told: Option<bool>) {
        let client = self.db.client().await;
        let data = format!(r#" {{"txn": "{txn}" }} "#);
        client.batch_execute("BEGIN").await.unwrap();
        if self.has_business_table().await {
            client.execute("INSERT INTO testkit_business VALUES ($1)", &[&txn]).await.unwrap();
        }
        let id = format!("evt_{txn}");
        let sql = "SELECT postrider.publish_v1($1, $2, 'email.received', $3::text::json, NULL, NULL, NULL, NULL, NULL, true), pg_current_xact_id()::text";
        let row = client.query_one(sql, &[&tenant, &id, &data]).await.unwrap();
        self.publisher.write_through(&PublisherEntry::Intent {
            txn: txn.to_owned(),
            xid: row.get::<_, String>(1).parse().unwrap(),
            tenant: tenant.to_owned(),
            id,
            event_type: "email.received".to_owned(),
            body_sha256: sha256_hex(data),
            t: monotonic_ns(),
        });
        client.batch_execute(end).await.unwrap();
        let (txn, t) = (txn.to_owned(), monotonic_ns());
        match told {
            Some(true) => self.publisher.write(&PublisherEntry::Ok { txn, t }),
            Some(false) => self.publisher.write(&PublisherEntry::Abort { txn, t }),
            None => {}
        }
    }

    async fn has_business_table(&self) -> bool {
        let sql = "SELECT to_regclass('public.testkit_business') IS NOT NULL";
        self.db.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// What the worker would do: a delivery row, a request, and the outcome.
    async fn deliver_all(&self) {
        let client = self.db.client().await;
        let events =
            "SELECT seq, tenant_id, id, envelope, created_at FROM postrider.webhook_events";
        for row in client.query(events, &[]).await.unwrap() {
            let (seq, tenant, id): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
            let (envelope, endpoint): (String, u128) = (row.get(3), u128::from(tenant == "beta"));
            self.send(&format!("token-of-{tenant}"), &id, &envelope).await;
            let insert = "INSERT INTO postrider.webhook_deliveries (id, endpoint_id, event_seq, event_created_at, closed_at, attempts, open, status, tenant_id)
                          SELECT gen_random_uuid(), $1, seq, created_at, clock_timestamp(), 1, false, 'delivered', tenant_id FROM postrider.webhook_events WHERE seq = $2";
            client.execute(insert, &[&Uuid::from_u128(endpoint), &seq]).await.unwrap();
        }
        client.batch_execute("DELETE FROM postrider.webhook_events_pending").await.unwrap();
    }

    async fn send(&self, token: &str, id: &str, body: &str) {
        let url = self.receiver.url(&format!("/hook/{token}?x=1"));
        let request = Request::post(url)
            .header("webhook-id", id)
            .header("webhook-attempt", "1")
            .body(Full::from(body.to_owned()))
            .unwrap();
        assert_eq!(self.http.request(request).await.unwrap().status(), 200);
    }

    async fn judge(self) -> Verdict {
        drop(self.receiver);
        let journals = Journals::read(&self.folder).unwrap();
        let state = DatabaseState::read(&mut self.db.client().await, &journals).await.unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
        check(&journals, &state)
    }
}

#[tokio::test]
async fn a_right_run_is_accepted_with_and_without_business_rows() {
    for business in [true, false] {
        let stage = Stage::set(if business { "business" } else { "numbers" }).await;
        if business {
            stage.db.execute(BUSINESS_TABLE).await;
        }
        stage.publish("one", "acme", "COMMIT", Some(true)).await;
        stage.publish("two", "beta", "COMMIT", Some(true)).await;
        stage.publish("three", "acme", "ROLLBACK", Some(false)).await;
        stage.publish("doubtful", "acme", "COMMIT", None).await;
        stage.publish("doubtless", "acme", "ROLLBACK", None).await;
        stage.deliver_all().await;
        let verdict = stage.judge().await;
        assert!(verdict.is_clean(), "{verdict}");
        let totals = verdict.totals;
        assert_eq!(
            (
                totals.committed,
                totals.rolled_back,
                totals.in_doubt,
                totals.delivered,
                totals.receipts
            ),
            (3, 2, 2, 3, 3)
        );
    }
}

#[tokio::test]
async fn a_run_that_loses_doubles_and_mixes_up_is_not() {
    let stage = Stage::set("wrong").await;
    stage.publish("one", "acme", "COMMIT", Some(true)).await;
    stage.publish("two", "beta", "COMMIT", Some(true)).await;
    stage.publish("three", "acme", "ROLLBACK", Some(false)).await;
    stage.deliver_all().await;
    stage.send("token-of-acme", "evt_three", "{}").await;
    stage.send("token-of-beta", "evt_one", "{}").await;
    stage.send("token-of-acme", "evt_one", "{}").await;
    stage.publish("four", "acme", "COMMIT", Some(true)).await;
    let broken = stage.judge().await.broken();
    assert_eq!(broken, ["lost", "phantom", "cross_tenant", "unexcused_duplicates", "body_changed"]);
}
