//! The views that operators ask.

use postrider_testkit::TestDb;
use serde_json::{Value, json};
use tokio_postgres::Client;

async fn rows(client: &Client, sql: &str) -> Value {
    let all = format!("SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM ({sql}) r");
    client.query_one(&all, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn events_are_counted_by_type_property_and_person() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client
        .batch_execute(
            "SELECT postrider.publish_v1('acme', 'u' || i, 'user_signed_up', json_build_object('plan', (ARRAY['free', 'pro'])[1 + i % 2], 'n', i),
                jsonb_build_object('distinct_id', 'p' || i % 3), '{web}', NULL, NULL, NULL, false) FROM generate_series(1, 9) i",
        )
        .await
        .unwrap();
    let newest = "SELECT id, data ->> 'plan' AS plan, labels FROM postrider.v_events WHERE tenant_id = 'acme' AND type = 'user_signed_up' ORDER BY seq DESC LIMIT 1";
    assert_eq!(
        rows(&client, newest).await,
        json!([{ "id": "u9", "plan": "pro", "labels": ["web"] }])
    );
    let by_plan = "SELECT data ->> 'plan' AS plan, count(*), count(DISTINCT attributes ->> 'distinct_id') AS people FROM postrider.v_events
        WHERE tenant_id = 'acme' AND created_at > clock_timestamp() - interval '30 days' GROUP BY 1 ORDER BY 1";
    let expected = json!([{ "plan": "free", "count": 4, "people": 3 }, { "plan": "pro", "count": 5, "people": 3 }]);
    assert_eq!(rows(&client, by_plan).await, expected);
}

#[tokio::test]
async fn the_documented_queries_answer_what_was_published() {
    let page = include_str!("../../../../docs/reference/sql.md");
    let (_, events) = page.split_once("## Events").unwrap();
    let (events, _) = events.split_once("\n## ").unwrap();
    let queries: Vec<&str> = events
        .split("```sql")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .flat_map(|block| block.split(';'))
        .map(str::trim)
        .filter(|query| !query.is_empty())
        .collect();
    let db = TestDb::new().await;
    let client = db.client().await;
    client
        .batch_execute(
            r#"SELECT postrider.publish('user_signed_up', data => '{"plan":"pro"}', id => 'e1', attributes => '{"user_id":"u1"}');
               SELECT postrider.publish('user_signed_up', data => '{"plan":"pro","distinct_id":"u2"}', id => 'e2');
               SELECT postrider.publish('user_signed_up', data => '{"plan":"free","distinct_id":"u9"}', id => 'e3', attributes => '{"user_id":"u1"}');
               SELECT postrider.publish('user_signed_up', data => '{"plan":"pro","distinct_id":"u2"}', id => 'e4');
               SELECT postrider.publish('order.paid', data => '{"plan":"pro"}', id => 'e5', attributes => '{"user_id":"u1"}')"#,
        )
        .await
        .unwrap();
    let mut answers = Vec::new();
    for query in queries {
        answers.push(rows(&client, query).await);
    }
    let ids = |answer: &Value| {
        let rows = answer.as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [newest, of_user, by_plan, by_day] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(ids(newest), ["e4", "e3", "e2", "e1"]);
    assert_eq!(ids(of_user), ["e5", "e3", "e1"]);
    let plans = json!([{ "plan": "pro", "events": 3, "users": 2 }, { "plan": "free", "events": 1, "users": 1 }]);
    assert_eq!(by_plan, &plans);
    let events: i64 =
        by_day.as_array().unwrap().iter().filter_map(|day| day["events"].as_i64()).sum();
    assert_eq!(events, 5);
}

#[tokio::test]
async fn data_that_no_text_of_postgresql_can_hold_harms_neither_publishers_nor_the_view() {
    let db = TestDb::new().await;
    let client = db.client().await;
    for (id, data, expected, user) in [
        (
            "e1",
            r#"{"distinct_id":"a\u0000b\u0000\u0000c"}"#,
            json!({ "distinct_id": "a\u{fffd}b\u{fffd}\u{fffd}c" }),
            None,
        ),
        (
            "e2",
            r#"{"a":"\\u0000","b":"\\\u0000"}"#,
            json!({ "a": "\\u0000", "b": "\\\u{fffd}" }),
            None,
        ),
        ("e3", r#"{"distinct_id":"\ud800"}"#, Value::Null, None),
        ("e4", r#"{"distinct_id":7,"n":1e999999}"#, Value::Null, Some("7")),
        ("e5", r#"{"distinct_id":null}"#, json!({ "distinct_id": null }), None),
        ("e6", r#""distinct_id""#, json!("distinct_id"), None),
    ] {
        let publish = "SELECT postrider.publish_v1('t', $1, 'a.b', $2::text::json, NULL, NULL, NULL, NULL, NULL, false)";
        let outcome: String = client.query_one(publish, &[&id, &data]).await.unwrap().get(0);
        assert_eq!(outcome, "inserted");
        let seen = "SELECT data, distinct_id FROM postrider.v_events WHERE id = $1";
        let row = client.query_one(seen, &[&id]).await.unwrap();
        let found: (Option<Value>, Option<String>) = (row.get(0), row.get(1));
        assert_eq!(
            (found.0.unwrap_or(Value::Null), found.1.as_deref()),
            (expected, user),
            "{data}"
        );
    }
}

#[tokio::test]
async fn backlog_health_and_what_is_stuck_are_seen() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client
        .batch_execute(
            "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types) VALUES
                ('00000000-0000-0000-0000-000000000001', 'acme', 'https://example.com/1', '{*}'),
                ('00000000-0000-0000-0000-000000000002', 'acme', 'https://example.com/2', '{*}');
             INSERT INTO postrider.webhook_deliveries_open (id, endpoint_id, event_seq, event_created_at, open, status, tenant_id, next_attempt_at)
                SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', i, clock_timestamp(), true, 'pending', 'acme',
                       clock_timestamp() + CASE WHEN i <= 3 THEN interval '-10 min' ELSE interval '1 hour' END FROM generate_series(1, 5) i;
             INSERT INTO postrider.webhook_endpoint_health (endpoint_id, circuit, consecutive_failures, opened_at, next_probe_at)
                VALUES ('00000000-0000-0000-0000-000000000002', 'open', 7, clock_timestamp(), clock_timestamp());
             INSERT INTO postrider.webhook_publish_failures (tenant_id, event_id, reason) VALUES ('acme', 'e1', 'why')",
        )
        .await
        .unwrap();
    let backlog = "SELECT endpoint_id, due, later, due_since IS NOT NULL AS has_due FROM postrider.v_backlog ORDER BY 1";
    let expected = json!([
        { "endpoint_id": "whk_00000000000000000000000000000001", "due": 3, "later": 2, "has_due": true },
        { "endpoint_id": "whk_00000000000000000000000000000002", "due": 0, "later": 0, "has_due": false },
    ]);
    assert_eq!(rows(&client, backlog).await, expected);
    let health = "SELECT circuit, consecutive_failures FROM postrider.v_endpoint_health ORDER BY endpoint_id";
    let expected = json!([
        { "circuit": "closed", "consecutive_failures": 0 },
        { "circuit": "open", "consecutive_failures": 7 },
    ]);
    assert_eq!(rows(&client, health).await, expected);
    let stuck = "SELECT kind, subject, detail FROM postrider.v_stuck ORDER BY 1";
    let expected = json!([
        { "kind": "endpoint_overdue", "subject": "whk_00000000000000000000000000000001", "detail": "3 deliveries are due" },
        { "kind": "publish_failed", "subject": "e1", "detail": "why" },
    ]);
    assert_eq!(rows(&client, stuck).await, expected);
}

#[tokio::test]
async fn a_reader_may_ask_them() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client.batch_execute(include_str!("../../../../deploy/roles.sql")).await.unwrap();
    client.batch_execute("SET ROLE postrider_reader").await.unwrap();
    for view in ["v_events", "v_backlog", "v_endpoint_health", "v_stuck"] {
        client.batch_execute(&format!("SELECT * FROM postrider.{view}")).await.unwrap();
    }
}
