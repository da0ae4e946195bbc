//! The catalog of event types: versions of schemas, what publishers may ask, strictness, and who writes the audit log.

use postrider_core::event_type::{Change, Declaration};
use postrider_event::schema::{Check, SchemaCache};
use postrider_store::admin::event_types::{self, find, list, plan, put, remove};
use postrider_store::{Connect, Db, Mode, event_types as seen_by};
use postrider_testkit::TestDb;
use tokio_postgres::Client;

async fn opened() -> (TestDb, Client, Db) {
    let test = TestDb::new().await;
    let client = test.client().await;
    let connect = Connect::parse(test.url(), "catalog", None).unwrap();
    let db = Db::new(&connect, Mode::Direct, 2).unwrap();
    (test, client, db)
}

fn declared(text: &str) -> Declaration {
    Declaration::judge(&serde_json::from_str(text).unwrap()).unwrap()
}

async fn text(client: &Client, sql: &str) -> String {
    let row = client.query_one(sql, &[]).await.unwrap();
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

#[tokio::test]
async fn many_are_stored_together_and_only_what_differs_is_touched() {
    let (_test, client, db) = opened().await;
    let a = declared(
        r#"{"name":"a.b","schema":{"type":"object"},"schema_check":"enforce","example":{"x" : 1}}"#,
    );
    let b = declared(r#"{"name":"a.a","description":"first"}"#);
    assert_eq!(plan(&db, &[a.clone(), b.clone()]).await.unwrap(), [Change::Added, Change::Added]);
    assert!(list(&db, None, None, 10).await.unwrap().is_empty(), "a plan stores nothing");
    put(&db, &[a.clone(), b.clone()]).await.unwrap();
    let before = find(&db, "a.b").await.unwrap().unwrap();
    assert_eq!(before.example.as_deref(), Some(r#"{"x" : 1}"#), "byte for byte");

    let b = declared(r#"{"name":"a.a","description":"second"}"#);
    assert_eq!(put(&db, &[a, b]).await.unwrap(), [Change::Unchanged, Change::Changed]);
    let after = find(&db, "a.b").await.unwrap().unwrap();
    assert_eq!((after.version, after.updated_at), (before.version, before.updated_at));
    let names = |types: Vec<event_types::EventTypeInfo>| -> Vec<String> {
        types.into_iter().map(|info| info.name).collect()
    };
    assert_eq!(names(list(&db, None, None, 10).await.unwrap()), ["a.a", "a.b"]);
    assert_eq!(names(list(&db, None, Some("a.a"), 10).await.unwrap()), ["a.b"]);
    assert!(remove(&db, "a.a").await.unwrap() && !remove(&db, "a.a").await.unwrap());
    let audit =
        "SELECT string_agg(action || ' ' || subject, ', ' ORDER BY id) FROM postrider.audit_log";
    let expected = "event_type.created a.a, event_type.created a.b, event_type.updated a.a, event_type.deleted a.a";
    assert_eq!(text(&client, audit).await, expected);
}

#[tokio::test]
async fn a_version_never_comes_back() {
    let (_test, client, db) = opened().await;
    let version = async || find(&db, "a").await.unwrap().unwrap().version;
    let mut seen = Vec::new();
    for text in [
        r#"{"name":"a","schema":{"type":"object"}}"#,
        r#"{"name":"a","schema":{"type":"array"}}"#,
        r#"{"name":"a","schema":{"type":"array"},"schema_check":"report"}"#,
        r#"{"name":"a"}"#,
    ] {
        put(&db, &[declared(text)]).await.unwrap();
        seen.push(version().await);
    }
    let described = declared(r#"{"name":"a","description":"x"}"#);
    put(&db, &[described]).await.unwrap();
    assert_eq!(version().await, seen[3], "a description is no other schema");
    remove(&db, "a").await.unwrap();
    client
        .batch_execute("INSERT INTO postrider.webhook_event_types (name) VALUES ('a')")
        .await
        .unwrap();
    seen.push(version().await);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}

#[tokio::test]
async fn who_publishes_may_ask_for_the_schema_and_gets_its_text_once() {
    let (_test, client, db) = opened().await;
    put(&db, &[declared(r#"{"name":"a","schema":{ "type":"object" },"schema_check":"report"}"#)])
        .await
        .unwrap();
    put(&db, &[declared(r#"{"name":"b","schema":{}}"#)]).await.unwrap();
    let version = find(&db, "a").await.unwrap().unwrap().version;
    client.batch_execute("SET ROLE postrider_publisher").await.unwrap();
    let ask = "SELECT version, schema_check, schema FROM postrider.event_schema_v1($1, $2)";
    let row = client.query_one(ask, &[&"a", &None::<i64>]).await.unwrap();
    assert_eq!(
        (row.get::<_, i64>(0), row.get(1), row.get(2)),
        (version, "report", Some(r#"{ "type":"object" }"#))
    );
    let row = client.query_one(ask, &[&"a", &Some(version)]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>(2), None);
    for none in ["b", "c"] {
        assert!(client.query_opt(ask, &[&none, &None::<i64>]).await.unwrap().is_none(), "{none}");
    }
    let denied =
        client.query("SELECT * FROM postrider.webhook_event_types", &[]).await.unwrap_err();
    assert_eq!(denied.code().map(|code| code.code()), Some("42501"));
}

#[tokio::test]
async fn the_daemon_compiles_a_schema_once_a_version() {
    let (_test, _client, db) = opened().await;
    let cache = SchemaCache::default();
    assert!(seen_by::schema(&db, &cache, "a").await.unwrap().is_none());
    put(&db, &[declared(r#"{"name":"a","schema":{"type":"object"},"schema_check":"enforce"}"#)])
        .await
        .unwrap();
    let (check, first) = seen_by::schema(&db, &cache, "a").await.unwrap().unwrap();
    let (_, second) = seen_by::schema(&db, &cache, "a").await.unwrap().unwrap();
    assert_eq!(check, Check::Enforce);
    assert!(std::sync::Arc::ptr_eq(&first.schema.unwrap(), &second.schema.unwrap()));
    put(&db, &[declared(r#"{"name":"a","schema":{"type":"array"},"schema_check":"enforce"}"#)])
        .await
        .unwrap();
    let (_, third) = seen_by::schema(&db, &cache, "a").await.unwrap().unwrap();
    assert_eq!(third.schema.unwrap().faults("{}").len(), 1);
}

#[tokio::test]
async fn a_strict_catalog_takes_declared_types_only() {
    let (_test, client, db) = opened().await;
    let publish = async |id: &str, event_type: &str| {
        let sql = "SELECT outcome FROM postrider.publish($1, id => $2)";
        let row = client.query_one(sql, &[&event_type, &id]).await;
        row.map(|row| row.get::<_, String>(0)).map_err(|error| {
            let error = error.as_db_error().unwrap();
            (error.code().code().to_owned(), error.message().to_owned())
        })
    };
    put(&db, &[declared(r#"{"name":"known.one"}"#)]).await.unwrap();
    assert_eq!(seen_by::seen(&db, &["seen.one"]).await.unwrap(), 1);
    assert_eq!(publish("e1", "unknown.one").await.unwrap(), "inserted");

    assert!(event_types::set_strict(&db, true).await.unwrap());
    assert!(!event_types::set_strict(&db, true).await.unwrap());
    assert!(event_types::is_strict(&db).await.unwrap());
    assert_eq!(publish("e2", "known.one").await.unwrap(), "inserted");
    assert_eq!(publish("e2", "known.one").await.unwrap(), "duplicate");
    let refused = (
        "22023".to_owned(),
        "postrider: type: not declared in the catalog (event_type.undeclared)".to_owned(),
    );
    for (id, name) in [
        ("e3", "unknown.one"),
        ("e1", "unknown.one"),
        ("e4", "seen.one"),
        ("e5", "endpoint.teapot"),
    ] {
        assert_eq!(publish(id, name).await.unwrap_err(), refused, "{name}");
    }
    assert_eq!(publish("e6", "postrider.test").await.unwrap(), "inserted");
    // What is wrong in itself and what is switched off are said as before.
    assert!(publish("e7", "no type").await.unwrap_err().1.contains("(event_type.syntax)"));
    client
        .batch_execute(
            "INSERT INTO postrider.webhook_switches (scope, name) VALUES ('type', 'unknown.one')",
        )
        .await
        .unwrap();
    assert_eq!(publish("e8", "unknown.one").await.unwrap(), "disabled");
    client.batch_execute("DELETE FROM postrider.webhook_switches").await.unwrap();
    // What Postrider says of its own work has its own way.
    client
        .batch_execute("SELECT postrider.tell_of_endpoint_v1(gen_random_uuid(), 'a', 'endpoint.failing', '{}')")
        .await
        .unwrap();
    let told =
        "SELECT count(*)::text FROM postrider.webhook_events WHERE type = 'endpoint.failing'";
    assert_eq!(text(&client, told).await, "1");

    assert!(event_types::set_strict(&db, false).await.unwrap());
    assert_eq!(publish("e3", "unknown.one").await.unwrap(), "inserted");
    let audit = "SELECT string_agg(changes ->> 'catalog_strict', ' ' ORDER BY id) FROM postrider.audit_log WHERE action = 'installation.updated'";
    assert_eq!(
        text(&client, audit).await,
        r#"{"to": true, "from": false} {"to": false, "from": true}"#
    );
}

#[tokio::test]
async fn what_is_seen_is_listed_without_a_word_in_the_audit_log_and_up_to_a_bound() {
    let (_test, client, db) = opened().await;
    put(&db, &[declared(r#"{"name":"known.one","description":"kept"}"#)]).await.unwrap();
    assert_eq!(seen_by::seen(&db, &["known.one", "seen.one", "seen.two"]).await.unwrap(), 2);
    assert_eq!(seen_by::seen(&db, &["seen.one"]).await.unwrap(), 0);
    let known = find(&db, "known.one").await.unwrap().unwrap();
    assert_eq!((known.declared, known.description.as_deref()), (true, Some("kept")));
    let undeclared = list(&db, Some(false), None, 10).await.unwrap();
    assert_eq!(undeclared.len(), 2);
    assert_eq!(text(&client, "SELECT count(*)::text FROM postrider.audit_log").await, "1");
    assert_eq!(plan(&db, &[declared(r#"{"name":"seen.one"}"#)]).await.unwrap(), [Change::Added]);

    client.batch_execute("INSERT INTO postrider.webhook_event_types (name, declared) SELECT 'made.up' || i, false FROM generate_series(1, 9996) i").await.unwrap();
    assert_eq!(seen_by::seen(&db, &["x.one", "x.two"]).await.unwrap(), 1, "there is room for one");
    assert_eq!(seen_by::seen(&db, &["x.two"]).await.unwrap(), 0);
}
