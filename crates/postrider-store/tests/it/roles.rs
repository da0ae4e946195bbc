//! `deploy/roles.sql`: what a reader may read, and that nothing sealed is among it.

use postrider_testkit::TestDb;
use tokio_postgres::Client;

const ROLES: &str = include_str!("../../../../deploy/roles.sql");
/// What nobody but the owner reads: secrets, and what the migrations and the janitor keep for themselves.
const CLOSED: [&str; 6] = [
    "api_keys",
    "idempotency_keys",
    "ledger_marks",
    "ledger_state",
    "schema_history",
    "webhook_endpoint_secrets",
];

/// Runs the file as a superuser does. Another test may make the same roles in the cluster at this moment.
async fn grant(client: &Client) {
    for attempt in 0.. {
        let whole = format!("BEGIN;{ROLES};COMMIT");
        let Err(error) = client.batch_execute(&whole).await else { return };
        client.batch_execute("ROLLBACK").await.unwrap();
        assert!(attempt < 5, "{error:?}");
    }
}

/// Whether a reader may read all columns, and each of them by its table.
async fn columns(client: &Client) -> Vec<(String, String, bool)> {
    let sql = "SELECT c.relname::text, a.attname::text, has_column_privilege('postrider_reader', c.oid, a.attnum, 'SELECT')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
          AND a.attnum > 0 AND NOT a.attisdropped";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn a_reader_reads_everything_but_what_is_sealed() {
    let db = TestDb::new().await;
    let client = db.client().await;
    grant(&client).await;
    // What an earlier version of the file gave away is taken back.
    let before =
        "GRANT SELECT (auth_sealed, tls_sealed) ON postrider.webhook_endpoints TO postrider_reader";
    client.batch_execute(before).await.unwrap();
    grant(&client).await;
    let columns = columns(&client).await;
    let sealed = |column: &str| column.ends_with("sealed");
    assert_eq!(columns.iter().filter(|(_, column, _)| sealed(column)).count(), 5, "sealed columns");
    for (table, column, readable) in &columns {
        let may = !sealed(column) && !CLOSED.contains(&table.as_str());
        assert_eq!(*readable, may, "{table}.{column}");
    }
    client.batch_execute("SET ROLE postrider_reader").await.unwrap();
    client.batch_execute("SELECT id, url FROM postrider.webhook_endpoints").await.unwrap();
    for table in ["webhook_endpoint_health", "webhook_egress_rules", "tenants"] {
        client.batch_execute(&format!("SELECT * FROM postrider.{table}")).await.unwrap();
    }
}
