//! The sum of the migrations is the committed `migrations/schema.sql`: a reviewer sees in one diff what a migration does.
//!
//! The text comes from the catalog, so it does not depend on the server's version. Partitions are left out: their names
//! are dates. `POSTRIDER_WRITE_SCHEMA=1` (`just schema`) rewrites the file.

use postrider_testkit::TestDb;
use tokio_postgres::Client;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/schema.sql");

#[tokio::test]
async fn an_empty_database_migrated_equals_the_committed_schema() {
    let db = TestDb::new().await;
    let schema = schema(&db.client().await).await;
    if std::env::var_os("POSTRIDER_WRITE_SCHEMA").is_some() {
        std::fs::write(FILE, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap();
    for (line, (ours, theirs)) in schema.lines().zip(committed.lines()).enumerate() {
        assert_eq!(
            ours,
            theirs,
            "line {} of migrations/schema.sql; `just schema` rewrites it",
            line + 1
        );
    }
    assert_eq!(schema.len(), committed.len(), "`just schema` rewrites migrations/schema.sql");
}

async fn schema(client: &Client) -> String {
    client.batch_execute("SET search_path = pg_catalog; SET timezone = 'UTC'").await.unwrap();
    let mut text = String::from(
        "-- The sum of all migrations, without the partitions. Written by `just schema`; a test keeps it true.\n",
    );
    for query in [TABLES, INDEXES, FUNCTIONS, TRIGGERS, VIEWS, POLICIES] {
        for row in client.query(query, &[]).await.unwrap() {
            text.push('\n');
            text.push_str(row.get::<_, &str>(0).trim_end());
            text.push_str(";\n");
        }
    }
    text
}

const TABLES: &str = "
SELECT format(E'CREATE TABLE postrider.%s (\\n    %s\\n)%s%s', c.relname,
    (SELECT string_agg(line, E',\\n    ' ORDER BY kind, n) FROM (
        SELECT 1 AS kind, a.attnum::text::int AS n,
               format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod))
               || CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation THEN ' COLLATE \"C\"' ELSE '' END
               || CASE WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY' ELSE '' END
               || CASE WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END
               || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS line
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 2, row_number() OVER (ORDER BY k.conname)::int, format('CONSTRAINT %s %s', k.conname, pg_get_constraintdef(k.oid))
        FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c', 'f')) l),
    CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END,
    CASE WHEN c.reloptions IS NOT NULL THEN ' WITH (' || array_to_string(c.reloptions, ', ') || ')' ELSE '' END)
FROM pg_class c
WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM postrider.partitions p WHERE p.name = c.relname) AND c.relname <> 'schema_history'
ORDER BY c.relname";

const INDEXES: &str = "
SELECT pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'postrider'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
  AND NOT EXISTS (SELECT FROM postrider.partitions p WHERE p.name = c.relname) AND c.relname <> 'schema_history'
ORDER BY i.indexrelid::regclass::text";

const FUNCTIONS: &str = "
SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'postrider'::regnamespace
ORDER BY p.proname, pg_get_function_identity_arguments(p.oid)";

const TRIGGERS: &str = "
SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'postrider'::regnamespace AND NOT t.tgisinternal
  AND NOT EXISTS (SELECT FROM postrider.partitions p WHERE p.name = c.relname)
ORDER BY c.relname, t.tgname";

const VIEWS: &str = "
SELECT format(E'CREATE VIEW postrider.%s AS\\n%s', c.relname, rtrim(pg_get_viewdef(c.oid, true), ';'))
FROM pg_class c WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind = 'v' ORDER BY c.relname";

const POLICIES: &str = "
SELECT format('CREATE POLICY %s ON %s AS %s TO %s USING (%s)', p.polname, c.relname,
              CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
              coalesce((SELECT string_agg(r.rolname::text, ', ') FROM pg_roles r WHERE r.oid = ANY (p.polroles)), 'PUBLIC'),
              pg_get_expr(p.polqual, p.polrelid))
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = 'postrider'::regnamespace AND c.relrowsecurity ORDER BY c.relname, p.polname";
