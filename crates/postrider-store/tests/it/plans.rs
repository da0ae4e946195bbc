//! Every statement prepares, and every hot one keeps to its index on empty, full and all-done tables, analysed in each.
//!
//! The plan is the generic one under the worker's own session settings: what a prepared statement keeps for its life.
//! Measured once: the recorder's statement, planned while *open* was empty, read it whole for ever after (1,100
//! deliveries/s instead of 30,000).

use postrider_store::{ALL_STATEMENTS, Statement, db};
use postrider_testkit::TestDb;
use serde_json::Value;
use tokio_postgres::Client;

/// The statements that run for every batch, every delivery or every second.
const HOT: &[&str] = &[
    "admin_deliveries/by_keys",
    "admin_deliveries/closed_of_endpoint",
    "admin_deliveries/open_of_endpoint",
    "admin_deliveries/walk",
    "admin_deliveries/walk_open",
    "admin_endpoints/list_of_tenant",
    "admin_endpoints/owed",
    "admin_events/bodies",
    "admin_events/by_keys",
    "admin_events/by_tenant",
    "admin_events/by_tenant_oldest_first",
    "admin_events/by_time",
    "admin_events/by_time_oldest_first",
    "admin_events/by_type",
    "admin_events/by_type_oldest_first",
    "admin_events/by_user",
    "admin_events/by_user_oldest_first",
    "admin_events/seq_at",
    "admin_events/tenants",
    "admin_tenants/list",
    "attempts/insert",
    "batches/attempts",
    "batches/claim",
    "batches/forget",
    "batches/insert",
    "batches/lease",
    "batches/look",
    "batches/sizes",
    "batches/stored",
    "deliveries/bodies",
    "deliveries/cancel_endpoint",
    "deliveries/close",
    "deliveries/drop_doubled",
    "deliveries/due",
    "deliveries/insert",
    "deliveries/kept",
    "deliveries/next_due",
    "deliveries/pull",
    "deliveries/pull_ordered",
    "deliveries/release",
    "deliveries/reschedule",
    "deliveries/tell_exhausted",
    "endpoint_health/give_back",
    "endpoint_health/probe",
    "endpoint_health/read",
    "endpoint_health/tell",
    "endpoint_health/unwell",
    "endpoint_health/write",
    "endpoints/by_id",
    "endpoints/routes",
    "endpoints/versions",
    "events/any_due",
    "events/between",
    "events/bodies",
    "events/claim",
    "events/done",
    "events/fail",
    "events/postpone",
    "events/span",
    "events/try",
    "horizon/holders",
    "horizon/keep",
    "workers/delivering",
    "workers/heartbeat",
    "workers/place",
    "workers/release_leases",
];

/// Tables that may grow. Their index scans must be bounded by a condition, or walk in order under a LIMIT.
const LARGE: &[&str] = &[
    "webhook_deliveries",
    "webhook_events",
    "webhook_event_ids",
    "webhook_attempts",
    "webhook_endpoints",
    "webhook_endpoint_health",
    "webhook_delivery_batches",
];

#[tokio::test]
async fn every_statement_prepares() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client.batch_execute(&db::session_settings()).await.unwrap();
    for statement in ALL_STATEMENTS {
        if let Err(error) = client.prepare_typed(statement.sql, statement.types).await {
            panic!("{} does not prepare: {error:?}", statement.name);
        }
    }
}

#[tokio::test]
async fn hot_statements_keep_their_index_on_empty_full_and_all_done_tables() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client.batch_execute(&db::session_settings()).await.unwrap();
    let states = [("empty", ""), ("full", FILL), ("all done", DRAIN)];
    for (state, make) in states {
        client.batch_execute(make).await.unwrap();
        client.batch_execute("VACUUM ANALYZE").await.unwrap();
        for name in HOT {
            let statement =
                ALL_STATEMENTS.iter().find(|statement| statement.name == *name).unwrap();
            let plan = generic_plan(&client, statement).await;
            judge(&plan, &format!("{name} on {state} tables"), false);
        }
    }
}

#[test]
fn the_daemons_statements_never_ask_for_the_time_of_the_transaction() {
    for statement in ALL_STATEMENTS {
        let code: String =
            statement.sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        assert!(
            !code.to_lowercase().replace(' ', "").contains("now()"),
            "{}: a lease from now() is born expired",
            statement.name
        );
        assert!(!code.to_lowercase().contains("current_timestamp"), "{}", statement.name);
    }
}

const FILL: &str = "
INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types)
SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, 't' || i % 40, 'https://example.com/', '{*}' FROM generate_series(1, 1000) i;
INSERT INTO postrider.webhook_endpoint_health (endpoint_id, last_success_at) SELECT e.id, clock_timestamp() FROM postrider.webhook_endpoints e;
UPDATE postrider.webhook_endpoint_health h SET circuit = 'open', first_failure_at = clock_timestamp(), next_probe_at = clock_timestamp()
WHERE h.endpoint_id < '00000000-0000-0000-0000-000000000020';
SELECT count(postrider.publish_v1('t1', 'e' || i, 'email.sent', '{}', NULL, NULL, NULL, NULL, NULL, false)) FROM generate_series(1, 5000) i;
INSERT INTO postrider.webhook_deliveries_open (id, endpoint_id, event_seq, event_created_at, next_attempt_at, open, status, tenant_id)
SELECT gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad((1 + i % 1000)::text, 12, '0'))::uuid, e.seq, e.created_at,
       clock_timestamp() + (i % 7200 - 3600) * interval '1 second', true, 'pending', 't1'
FROM generate_series(1, 30000) i JOIN postrider.webhook_events e ON e.seq = 1 + i % 5000;
INSERT INTO postrider.webhook_delivery_batches (id, endpoint_id, members, format, encoding)
SELECT gen_random_uuid(), d.endpoint_id, ARRAY[d.id], 'raw', 'array' FROM postrider.webhook_deliveries_open d LIMIT 5000";

const DRAIN: &str = "
DELETE FROM postrider.webhook_delivery_batches;
DELETE FROM postrider.webhook_deliveries_open;
DELETE FROM postrider.webhook_events_pending";

async fn generic_plan(client: &Client, statement: &Statement) -> Value {
    let types: Vec<String> = statement
        .types
        .iter()
        .map(|ty| {
            ty.name()
                .strip_prefix('_')
                .map_or(ty.name().to_owned(), |element| format!("{element}[]"))
        })
        .collect();
    let (declared, nulls) = match types.len() {
        0 => (String::new(), String::new()),
        n => (format!("({})", types.join(", ")), format!("({})", vec!["NULL"; n].join(", "))),
    };
    let explain = format!(
        "DEALLOCATE ALL; PREPARE hot {declared} AS {}; EXPLAIN (FORMAT JSON) EXECUTE hot {nulls}",
        statement.sql
    );
    let messages = client
        .simple_query(&explain)
        .await
        .unwrap_or_else(|error| panic!("{}: {error:?}", statement.name));
    let text: String = messages
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    serde_json::from_str::<Value>(&text).unwrap()[0]["Plan"].clone()
}

/// `limited`: a LIMIT stands above, so an ordered walk ends early.
fn judge(plan: &Value, what: &str, limited: bool) {
    let node = plan["Node Type"].as_str().unwrap_or_default();
    let limited = limited || node == "Limit";
    let table = plan["Relation Name"].as_str().unwrap_or_default();
    let large = LARGE.iter().any(|name| table.starts_with(name))
        && !table.starts_with("webhook_events_failed");
    assert!(!(large && node == "Seq Scan"), "{what} reads all of {table}");
    assert!(!matches!(node, "Hash Join" | "Merge Join" if large), "{what}: {node}");
    // It holds those that are not well and nothing else, and all of them are asked for.
    let whole = ["webhook_endpoint_health_unwell", "webhook_endpoints_paused"]
        .iter()
        .any(|name| plan["Index Name"] == **name);
    if large && node.starts_with("Index") && !whole {
        assert!(
            plan.get("Index Cond").is_some() || limited,
            "{what} walks the whole of {} without a condition",
            plan["Index Name"]
        );
    }
    // The loose scan over order keys: sorting what is owed to an endpoint for each of its keys would be quadratic.
    assert!(
        !(what.starts_with("deliveries/pull")
            && node == "Sort"
            && plan["Plans"][0]["Relation Name"] == "webhook_deliveries_open"),
        "{what} sorts what is open"
    );
    for child in plan["Plans"].as_array().into_iter().flatten() {
        judge(child, what, limited);
    }
}
