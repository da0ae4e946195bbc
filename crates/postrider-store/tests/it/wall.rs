//! The wall between tenants that stands in the database: the role `postrider_api`, and row security, whatever a statement forgets to ask for.

use postrider_core::api_key::{ApiKey, Scope};
use postrider_store::admin::api_keys::{self, NewApiKey};
use postrider_store::admin::audit::{self, AuditQuery};
use postrider_store::admin::{endpoints, events};
use postrider_store::{Acting, Connect, Db, Mode};
use postrider_testkit::TestDb;
use tokio_postgres::Client;

/// Something of tenants a and b in every table that has any.
const FILL: &str = "
    INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types)
        SELECT gen_random_uuid(), t, 'https://example.com/' || t, '{*}' FROM unnest('{a,b}'::text[]) t;
    INSERT INTO postrider.webhook_endpoint_secrets (endpoint_id, sealed) SELECT id, 'x' FROM postrider.webhook_endpoints;
    INSERT INTO postrider.webhook_endpoint_health (endpoint_id) SELECT id FROM postrider.webhook_endpoints;
    SELECT postrider.publish_v1(t, 'e' || i, 'email.sent', '{}', NULL, NULL, NULL, NULL, NULL, false)
        FROM unnest('{a,b}'::text[]) t, generate_series(1, 3) i;
    INSERT INTO postrider.webhook_deliveries_open (id, endpoint_id, event_seq, event_created_at, open, status, tenant_id, next_attempt_at)
        SELECT gen_random_uuid(), e.id, v.seq, v.created_at, true, 'pending', e.tenant_id, clock_timestamp()
        FROM postrider.webhook_endpoints e JOIN postrider.webhook_events v USING (tenant_id) WHERE v.id = 'e1';
    INSERT INTO postrider.webhook_deliveries_closed (id, endpoint_id, event_seq, event_created_at, open, status, tenant_id, closed_at)
        SELECT gen_random_uuid(), e.id, v.seq, v.created_at, false, 'delivered', e.tenant_id, clock_timestamp()
        FROM postrider.webhook_endpoints e JOIN postrider.webhook_events v USING (tenant_id) WHERE v.id = 'e2';
    INSERT INTO postrider.webhook_attempts (delivery_id, started_at, endpoint_id, duration_ms, attempt, outcome)
        SELECT id, clock_timestamp(), endpoint_id, 1, 1, 'delivered' FROM postrider.webhook_deliveries_closed;
    INSERT INTO postrider.webhook_delivery_batches (id, endpoint_id, members, format, encoding)
        SELECT gen_random_uuid(), id, ARRAY[id], 'raw', 'array' FROM postrider.webhook_endpoints;
    INSERT INTO postrider.webhook_publish_failures (tenant_id, reason) VALUES ('a', 'x'), ('b', 'x');
    INSERT INTO postrider.tenants (tenant_id) VALUES ('a'), ('b');
    INSERT INTO postrider.webhook_egress_rules (tenant_id) VALUES ('a'), ('b');
    INSERT INTO postrider.api_keys (id, tenant_id, name, hash, hint, scopes)
        SELECT gen_random_uuid(), t, 'x', sha256(t::bytea), 'abcd', '{read}' FROM unnest('{a,b}'::text[]) t;
    INSERT INTO postrider.jobs (id, tenant_id, kind, endpoint_id, since, until, wanted, rate)
        SELECT gen_random_uuid(), tenant_id, 'recover', id, now(), now(), '{}', 1 FROM postrider.webhook_endpoints;
    INSERT INTO postrider.webhook_pull_cursors (endpoint_id, tenant_id, seq, removed_to) SELECT id, tenant_id, 1, 0 FROM postrider.webhook_endpoints;
    WITH failed AS (DELETE FROM postrider.webhook_events_pending p USING postrider.webhook_events e
                    WHERE e.seq = p.seq AND e.id = 'e3' RETURNING p.seq, p.created_at)
    INSERT INTO postrider.webhook_events_failed (seq, created_at, attempts, reason) SELECT seq, created_at, 1, 'x' FROM failed;
";

/// Every table with a tenant_id, by the catalog, and the rows of tenant b in it.
const TABLES: &str = "SELECT c.relname::text, c.relrowsecurity
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1";

async fn filled() -> (TestDb, Client) {
    let db = TestDb::new().await;
    let client = db.client().await;
    client.batch_execute(FILL).await.unwrap();
    (db, client)
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Runs a statement as the API's role; how many rows it touched, or `None` where the role may not.
async fn as_api(client: &Client, tenant: &str, sql: &str) -> Option<u64> {
    let begin =
        format!("BEGIN; SET LOCAL postrider.tenant_id = '{tenant}'; SET LOCAL ROLE postrider_api");
    client.batch_execute(&begin).await.unwrap();
    let touched = client.execute(sql, &[]).await;
    match touched {
        Ok(touched) => Some(touched),
        Err(error) => {
            assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{sql}: {error:?}");
            client.batch_execute("ROLLBACK; BEGIN").await.unwrap();
            None
        }
    }
}

#[tokio::test]
async fn no_statement_of_a_tenant_reaches_a_row_of_another() {
    let (_db, client) = filled().await;
    let mut seen = 0;
    for row in client.query(TABLES, &[]).await.unwrap() {
        let (table, secured): (String, bool) = (row.get(0), row.get(1));
        let of_b = format!("SELECT count(*) FROM postrider.{table} WHERE tenant_id = 'b'");
        let before = number(&client, &of_b).await;
        let all = format!("SELECT count(*) FROM postrider.{table}");
        let own = number(&client, &format!("{all} WHERE tenant_id = 'a'")).await;
        for statement in [
            format!("SELECT * FROM postrider.{table}"),
            format!("UPDATE postrider.{table} SET tenant_id = tenant_id"),
            format!("DELETE FROM postrider.{table}"),
        ] {
            let touched = as_api(&client, "a", &statement).await;
            client.batch_execute("RESET ROLE").await.unwrap();
            assert_eq!(number(&client, &of_b).await, before, "{statement}");
            client.batch_execute("ROLLBACK").await.unwrap();
            let touched = touched.unwrap_or(0);
            assert!(
                touched <= u64::try_from(own).unwrap(),
                "{statement} touched {touched} of {own}"
            );
            assert!(secured || touched == 0, "{table} is behind no wall");
            seen += u64::from(touched > 0);
            let nobody = as_api(&client, "", &statement).await;
            client.batch_execute("ROLLBACK").await.unwrap();
            assert_eq!(nobody.unwrap_or(0), 0, "{statement} without a tenant");
        }
    }
    assert!(seen >= 10, "the role may do something: {seen}");
}

#[tokio::test]
async fn what_belongs_to_a_tenant_by_its_endpoint_or_event_is_behind_the_wall_too() {
    let (_db, client) = filled().await;
    for (table, own) in [
        ("webhook_endpoint_secrets", 1),
        ("webhook_endpoint_health", 1),
        ("webhook_attempts", 1),
        ("webhook_delivery_batches", 1),
        ("webhook_events_pending", 2),
        ("webhook_events_failed", 1),
    ] {
        let select = format!("SELECT * FROM postrider.{table}");
        for (tenant, expected) in [("a", own), ("", 0), ("nobody", 0)] {
            let found = as_api(&client, tenant, &select).await;
            client.batch_execute("ROLLBACK").await.unwrap();
            assert_eq!(found, Some(expected), "{table} of {tenant:?}");
        }
    }
}

#[tokio::test]
async fn a_tenant_cannot_write_a_row_for_another() {
    let (_db, client) = filled().await;
    let insert = "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types) VALUES (gen_random_uuid(), 'b', 'https://example.com/', '{*}')";
    assert_eq!(as_api(&client, "a", insert).await, None, "refused by the policy");
    client.batch_execute("ROLLBACK").await.unwrap();
    let steal = "UPDATE postrider.webhook_endpoints SET tenant_id = 'b'";
    assert_eq!(as_api(&client, "a", steal).await, None);
    client.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn everybody_else_sees_what_they_saw_before() {
    let (_db, client) = filled().await;
    client.batch_execute("GRANT SELECT ON ALL TABLES IN SCHEMA postrider TO pg_monitor; GRANT USAGE ON SCHEMA postrider TO pg_monitor; SET ROLE pg_monitor").await.unwrap();
    assert_eq!(number(&client, "SELECT count(*) FROM postrider.webhook_endpoints").await, 2);
    assert_eq!(number(&client, "SELECT count(*) FROM postrider.webhook_deliveries").await, 4);
}

fn acting(tenant: Option<&str>) -> Acting {
    Acting {
        tenant: tenant.map(str::to_owned),
        actor: "key:k'1".to_owned(),
        address: Some([192, 0, 2, 7].into()),
        request_id: Some("req_1".to_owned()),
    }
}

#[tokio::test]
async fn statements_on_a_tenants_behalf_see_that_tenant_alone_on_every_kind_of_connection() {
    let (test, _client) = filled().await;
    let connect = Connect::parse(test.url(), "wall", None).unwrap();
    for mode in [Mode::Direct, Mode::Pooled] {
        let db = Db::new(&connect, mode, 1).unwrap();
        // In turn on one connection: nothing of one stays for the next.
        for _ in 0..2 {
            for (tenant, expected) in [(Some("a"), 1), (None, 2), (Some("b"), 1), (Some("c"), 0)] {
                let of = db.acting(&acting(tenant));
                let found = endpoints::list(&of, None, None, 10).await.unwrap();
                assert_eq!(found.len(), expected, "{mode:?} {tenant:?}");
                assert_eq!(events::find(&of, "e1", None).await.unwrap().len(), expected);
            }
        }
        assert_eq!(endpoints::list(&db, None, None, 10).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_change_is_in_the_audit_log_with_who_made_it_and_nothing_sealed() {
    let (test, client) = filled().await;
    let connect = Connect::parse(test.url(), "wall", None).unwrap();
    let db = Db::new(&connect, Mode::Direct, 2).unwrap();
    let of = db.acting(&acting(Some("a")));
    let id = endpoints::list(&of, None, None, 1).await.unwrap()[0].id;
    endpoints::set_enabled(&of, id, false, "by hand").await.unwrap();
    let query = AuditQuery {
        tenant: None,
        subject: None,
        action: Some("endpoint.updated"),
        since: jiff::Timestamp::UNIX_EPOCH,
        before: None,
        limit: 10,
        look: 1_000,
    };
    let found = audit::list(&of, &query).await.unwrap().rows;
    let entry = &found[0];
    assert_eq!((entry.actor.as_str(), entry.tenant.as_deref()), ("key:k'1", Some("a")));
    assert_eq!(
        (entry.address, entry.request_id.as_deref()),
        (Some([192, 0, 2, 7].into()), Some("req_1"))
    );
    assert_eq!(entry.subject, id.to_string());
    assert_eq!(entry.changes["enabled"], serde_json::json!({ "from": true, "to": false }));
    assert!(audit::list(&db.acting(&acting(Some("b"))), &query).await.unwrap().rows.is_empty());

    client.batch_execute("UPDATE postrider.webhook_endpoints SET headers_sealed = '\\xc0ffee', updated_at = clock_timestamp() WHERE tenant_id = 'a'").await.unwrap();
    client
        .batch_execute("UPDATE postrider.webhook_endpoints SET updated_at = clock_timestamp()")
        .await
        .unwrap();
    let found = audit::list(&db, &query).await.unwrap().rows;
    assert_eq!(found.len(), 2, "a touch is no change");
    assert_eq!(found[0].changes, serde_json::json!({ "headers_sealed": "changed" }));
    assert!(found[0].actor.starts_with("sql:"), "{}", found[0].actor);
    let leaked =
        "SELECT count(*) FROM postrider.audit_log WHERE changes::text ~ 'c0ffee|\\\\\\\\x'";
    assert_eq!(number(&client, leaked).await, 0);
}

#[tokio::test]
async fn a_key_lets_its_holder_in_until_it_ends() {
    let test = TestDb::new().await;
    let connect = Connect::parse(test.url(), "wall", None).unwrap();
    let db = Db::new(&connect, Mode::Direct, 2).unwrap();
    let (key, other) = (ApiKey::generate(&[1; 32]), ApiKey::generate(&[2; 32]));
    let new = NewApiKey { tenant: Some("a"), name: "ci", scopes: &[Scope::Read], expires_in: None };
    let (id, ..) = api_keys::create(&db, &key, &new).await.unwrap();
    let holder = api_keys::holder(&db, &key).await.unwrap().unwrap();
    assert_eq!((holder.id, holder.tenant.as_deref()), (id, Some("a")));
    assert_eq!(holder.scopes, [Scope::Read]);
    assert_eq!(api_keys::holder(&db, &other).await.unwrap(), None);
    assert!(api_keys::list(&db, Some("a"), None, 10).await.unwrap()[0].last_used_at.is_some());

    assert!(!api_keys::revoke(&db, id, Some("b")).await.unwrap(), "another tenant's");
    assert!(api_keys::revoke(&db, id, None).await.unwrap());
    assert!(!api_keys::revoke(&db, id, None).await.unwrap());
    assert_eq!(api_keys::holder(&db, &key).await.unwrap(), None);

    let short = NewApiKey { expires_in: Some(std::time::Duration::from_millis(1)), ..new };
    api_keys::create(&db, &other, &short).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(api_keys::holder(&db, &other).await.unwrap(), None);
}

#[tokio::test]
async fn who_is_no_superuser_gets_the_wall_as_far_as_it_may() {
    let test = TestDb::empty().await;
    let client = test.client().await;
    let name = test.name().replace('-', "_");
    // One that may make roles, and owns its database.
    client
        .batch_execute(&format!(
            "CREATE ROLE maker_{name} LOGIN CREATEROLE; ALTER DATABASE {} OWNER TO maker_{name}",
            test.name()
        ))
        .await
        .unwrap();
    let mut maker = test.client_as(&format!("maker_{name}")).await;
    postrider_store::migrations::up(&mut maker).await.unwrap();
    maker.batch_execute("BEGIN; SET LOCAL postrider.tenant_id = 'a'; SET LOCAL ROLE postrider_api; SELECT * FROM postrider.webhook_endpoints; SELECT * FROM postrider.jobs; COMMIT").await.unwrap();
    client
        .batch_execute(&format!("REASSIGN OWNED BY maker_{name} TO CURRENT_USER; DROP OWNED BY maker_{name}; DROP ROLE maker_{name}"))
        .await
        .unwrap();
}
