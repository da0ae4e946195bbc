//! Steering by SQL: what an operator's role may do, and that it does what the other ways in do.

use std::time::Duration;

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_store::control::Control;
use postrider_store::{Connect, Db, Mode};
use postrider_testkit::TestDb;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

const ENDPOINTS: &str = "
INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, enabled, disabled_reason) VALUES
    ('00000000-0000-0000-0000-000000000001', 'acme', 'https://example.com/1', '{*}', true, NULL),
    ('00000000-0000-0000-0000-000000000002', 'acme', 'https://example.com/2', '{*}', false, 'by hand'),
    ('00000000-0000-0000-0000-000000000003', 'acme', 'https://example.com/3', '{none}', true, NULL),
    ('00000000-0000-0000-0000-000000000009', 'other', 'https://example.com/9', '{*}', true, NULL)";

fn endpoint(number: u128) -> EndpointId {
    EndpointId(Uuid::from_u128(number))
}

/// A database with an event that was delivered to endpoint 1 and, before that was disabled, to 2.
async fn stage() -> (TestDb, Client) {
    let db = TestDb::new().await;
    let client = db.client().await;
    client.batch_execute(ENDPOINTS).await.unwrap();
    client
        .batch_execute(
            "SELECT postrider.publish_v1('acme', 'e1', 'a.b', '{}', NULL, NULL, NULL, NULL, NULL, false);
             SELECT postrider.publish_v1('acme', 'waiting', 'a.b', '{}', NULL, NULL, NULL, NULL, NULL, false);
             DELETE FROM postrider.webhook_events_pending p USING postrider.webhook_events e WHERE e.seq = p.seq AND e.id = 'e1'",
        )
        .await
        .unwrap();
    for number in [1, 2] {
        let id = derived(&client, number, 0).await;
        client
            .execute(
                "INSERT INTO postrider.webhook_deliveries (id, endpoint_id, event_seq, event_created_at, tenant_id, open, status, closed_at)
                 SELECT $1, $2, seq, created_at, tenant_id, false, 'delivered', clock_timestamp() FROM postrider.webhook_events WHERE id = 'e1'",
                &[&id.0, &endpoint(number).0],
            )
            .await
            .unwrap();
    }
    (db, client)
}

/// The id that Rust derives for a delivery of the event.
async fn derived(client: &Client, number: u128, replay: u16) -> DeliveryId {
    let at = "SELECT created_at FROM postrider.webhook_events WHERE id = 'e1'";
    let at: jiff::Timestamp = client.query_one(at, &[]).await.unwrap().get(0);
    let ms = u64::try_from(at.as_millisecond()).unwrap();
    DeliveryId::derive(ms, "acme", "e1", endpoint(number), replay)
}

async fn asked(client: &Client, sql: &str) -> Result<Value, String> {
    let all = format!("SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM ({sql}) r");
    match client.query_one(&all, &[]).await {
        Ok(row) => Ok(row.get(0)),
        Err(error) => Err(error.as_db_error().unwrap().message().to_owned()),
    }
}

#[tokio::test]
async fn ids_of_deliveries_are_those_that_rust_derives() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let sql = "SELECT postrider.delivery_id_v1(to_timestamp($1::float8) + $2::bigint * interval '1 microsecond', $3, $4, $5, $6)";
    let tenants = ["default", "a", "acme:eu-1.x_y", &"t".repeat(128)];
    let events = ["evt_907bf6949cb24ba5527f7e4e19752a7f", "x", "A_b-c", &"e".repeat(64)];
    for n in 0..400_u64 {
        let pick = usize::try_from(n).unwrap();
        let (tenant, event) = (tenants[pick % 4], events[pick / 4 % 4]);
        let id = EndpointId(Uuid::from_u128(
            u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
        ));
        let replay = [0, 1, 255, 256, 32_767][pick % 5];
        // To the microsecond, also just before the next millisecond.
        let (second, rest) =
            (1_600_000_000 + n * 977_777, [0, 1, 999, 1_000, 999_999][pick / 3 % 5]);
        let ms = second * 1000 + rest / 1000;
        let row = client
            .query_one(
                sql,
                &[
                    &f64::from(u32::try_from(second).unwrap()),
                    &i64::try_from(rest).unwrap(),
                    &tenant,
                    &event,
                    &id.0,
                    &i32::from(replay),
                ],
            )
            .await
            .unwrap();
        let expected = DeliveryId::derive(ms, tenant, event, id, replay);
        assert_eq!(DeliveryId(row.get(0)), expected, "{ms} {tenant} {event} {id} {replay}");
    }
}

#[tokio::test]
async fn an_operator_redelivers_with_the_ids_of_the_engine_and_is_written_down() {
    let (_db, client) = stage().await;
    client.batch_execute("SET ROLE postrider_operator").await.unwrap();
    let (first, third) =
        (derived_as_owner(&client, 1, 1).await, derived_as_owner(&client, 3, 0).await);
    let one = endpoint(1).to_string();
    let again = "SELECT * FROM postrider.redeliver('e1', 'acme')";
    let row = |outcome: &str| json!({ "endpoint_id": one, "delivery_id": first.to_string(), "outcome": outcome });
    let disabled = json!({ "endpoint_id": endpoint(2).to_string(), "delivery_id": null, "outcome": "endpoint_disabled" });
    assert_eq!(asked(&client, again).await, Ok(json!([row("owed"), disabled])));
    assert_eq!(asked(&client, again).await, Ok(json!([row("still_owed"), disabled])));
    // Also to one that never had it.
    let only = format!(
        "SELECT * FROM postrider.redeliver('e1', tenant => 'acme', endpoint_id => '{}')",
        endpoint(3)
    );
    let expected = json!([{ "endpoint_id": endpoint(3).to_string(), "delivery_id": third.to_string(), "outcome": "owed" }]);
    assert_eq!(asked(&client, &only).await, Ok(expected));

    client.batch_execute("RESET ROLE").await.unwrap();
    let open = "SELECT replay, status FROM postrider.webhook_deliveries_open ORDER BY endpoint_id";
    let expected =
        json!([{ "replay": 1, "status": "pending" }, { "replay": 0, "status": "pending" }]);
    assert_eq!(asked(&client, open).await, Ok(expected));
    let audit = "SELECT tenant_id, subject, changes, actor LIKE 'sql:%' AS by_sql FROM postrider.audit_log WHERE action = 'event.redelivered' ORDER BY id";
    let expected = json!([
        { "tenant_id": "acme", "subject": "e1", "by_sql": true, "changes": { "deliveries": { one.clone(): first.to_string() } } },
        { "tenant_id": "acme", "subject": "e1", "by_sql": true, "changes": { "deliveries": { endpoint(3).to_string(): third.to_string() } } },
    ]);
    assert_eq!(asked(&client, audit).await, Ok(expected));
}

async fn derived_as_owner(client: &Client, number: u128, replay: u16) -> DeliveryId {
    client.batch_execute("RESET ROLE").await.unwrap();
    let id = derived(client, number, replay).await;
    client.batch_execute("SET ROLE postrider_operator").await.unwrap();
    id
}

#[tokio::test]
async fn an_operator_pauses_and_resumes_and_workers_are_told() {
    let (db, client) = stage().await;
    let connect = Connect::parse(db.url(), "operator", None).unwrap();
    let pool = Db::new(&connect, Mode::Direct, 2).unwrap();
    let control = Control::open(&connect, &pool).await.unwrap().expect("it hears itself");
    client.batch_execute("SET ROLE postrider_operator").await.unwrap();
    let one = endpoint(1);
    let call = |sql: String| {
        let client = &client;
        async move { asked(client, &format!("SELECT {sql} AS changed")).await }
    };
    let changed = |changed: bool| Ok(json!([{ "changed": changed }]));
    assert_eq!(call(format!("postrider.pause('{one}', 'maintenance')")).await, changed(true));
    let told = tokio::time::timeout(Duration::from_secs(5), control.endpoints_knocked()).await;
    assert!(told.is_ok());
    assert_eq!(call(format!("postrider.pause('{one}')")).await, changed(false));
    let seen = format!(
        "SELECT paused_reason, paused_at IS NOT NULL AS paused FROM postrider.v_endpoint_health WHERE endpoint_id = '{one}'"
    );
    assert_eq!(
        asked(&client, &seen).await,
        Ok(json!([{ "paused_reason": "maintenance", "paused": true }]))
    );
    assert_eq!(call(format!("postrider.resume('{one}')")).await, changed(true));
    assert_eq!(call(format!("postrider.resume('{one}')")).await, changed(false));
    assert_eq!(
        asked(&client, &seen).await,
        Ok(json!([{ "paused_reason": null, "paused": false }]))
    );
    client.batch_execute("RESET ROLE").await.unwrap();
    let audit = format!(
        "SELECT changes -> 'paused_reason' AS reason FROM postrider.audit_log WHERE subject = '{one}' AND action = 'endpoint.updated' ORDER BY id"
    );
    let expected =
        json!([{ "reason": { "to": "maintenance" } }, { "reason": { "from": "maintenance" } }]);
    assert_eq!(asked(&client, &audit).await, Ok(expected));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let (_db, client) = stage().await;
    client.batch_execute("SET ROLE postrider_operator").await.unwrap();
    let (nobody, other) = (endpoint(77), endpoint(9));
    for (sql, wrong) in [
        (
            "postrider.pause('whk_1')".to_owned(),
            "endpoint_id: 'whk_1' is not the id of an endpoint".to_owned(),
        ),
        ("postrider.resume(NULL)".to_owned(), "endpoint_id: null is not the id".to_owned()),
        (
            format!("postrider.pause('{nobody}')"),
            format!("endpoint_id: there is no endpoint {nobody}"),
        ),
        (
            format!("postrider.resume('{nobody}')"),
            format!("endpoint_id: there is no endpoint {nobody}"),
        ),
        (
            format!("postrider.pause('{}', repeat('x', 201))", endpoint(1)),
            "reason: must have at most 200".to_owned(),
        ),
        (
            "postrider.redeliver('nothing', 'acme')".to_owned(),
            "event_id: there is no event nothing of tenant acme".to_owned(),
        ),
        (
            "postrider.redeliver('e1')".to_owned(),
            "event_id: there is no event e1 of tenant default".to_owned(),
        ),
        (
            "postrider.redeliver('waiting', 'acme')".to_owned(),
            "event_id: waiting is not fanned out yet".to_owned(),
        ),
        (
            format!("postrider.redeliver('e1', 'acme', '{other}')"),
            format!("endpoint_id: there is no endpoint {other} of tenant acme"),
        ),
    ] {
        let refused = asked(&client, &format!("SELECT * FROM {sql}")).await.unwrap_err();
        assert!(refused.starts_with(&format!("postrider: {wrong}")), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn an_operator_may_do_nothing_else() {
    let (_db, client) = stage().await;
    let functions = "SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'postrider'::regnamespace
        AND has_function_privilege('postrider_operator', p.oid, 'EXECUTE') AND NOT has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1";
    let may: Vec<String> =
        client.query(functions, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(may, ["pause", "redeliver", "resume"]);
    let tables = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
        AND (has_table_privilege('postrider_operator', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')) ORDER BY 1";
    let may: Vec<String> =
        client.query(tables, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(may, ["v_backlog", "v_endpoint_health", "v_events", "v_stuck"]);
    client.batch_execute("SET ROLE postrider_operator").await.unwrap();
    for view in may {
        client.batch_execute(&format!("SELECT * FROM postrider.{view}")).await.unwrap();
        let change = format!("DELETE FROM postrider.{view}");
        assert!(client.batch_execute(&change).await.is_err());
    }
}
