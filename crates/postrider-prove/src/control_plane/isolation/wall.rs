//! Row security alone: as the API's role, statements without any WHERE, on every table that has a tenant_id.

use tokio_postgres::Client;

/// What came of it.
#[derive(Default)]
pub(super) struct Walled {
    /// Tables and partitions with a `tenant_id`, as the catalog lists them.
    pub(super) tables: usize,
    /// Those of them in which both tenants have rows.
    pub(super) with_rows: usize,
    pub(super) statements: usize,
    /// Refused for want of a right, before any row.
    pub(super) denied: usize,
    pub(super) reached: Vec<String>,
}

struct Table {
    name: String,
    /// A day of a table: nobody is let at it but through the table.
    partition: bool,
    both: bool,
}

pub(super) async fn try_all(client: &Client) -> anyhow::Result<Walled> {
    let tables = tables(client).await?;
    let mut walled = Walled {
        tables: tables.len(),
        with_rows: tables.iter().filter(|table| table.both).count(),
        ..Walled::default()
    };
    for table in &tables {
        for tenant in [Some("a"), None] {
            // With the rights that the role has, and, but for partitions, with all rights: then there is the wall and nothing else.
            for granted in [false, true] {
                if !(granted && table.partition) {
                    one(client, table, tenant, granted, &mut walled).await?;
                }
            }
        }
    }
    Ok(walled)
}

async fn tables(client: &Client) -> anyhow::Result<Vec<Table>> {
    let sql = "SELECT c.relname::text, c.relispartition AND c.relname NOT IN ('webhook_deliveries_open', 'webhook_deliveries_closed')
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
               WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1";
    let mut tables = Vec::new();
    for row in client.query(sql, &[]).await? {
        let name: String = row.get(0);
        let sql = format!(
            "SELECT count(DISTINCT tenant_id) = 2 FROM postrider.{name} WHERE tenant_id IN ('a', 'b')"
        );
        let both = client.query_one(&sql, &[]).await?.get(0);
        tables.push(Table { name, partition: row.get(1), both });
    }
    Ok(tables)
}

async fn one(
    client: &Client,
    table: &Table,
    tenant: Option<&str>,
    granted: bool,
    walled: &mut Walled,
) -> anyhow::Result<()> {
    let name = &table.name;
    for (verb, statement) in [
        ("SELECT", format!("SELECT tenant_id FROM postrider.{name}")),
        (
            "UPDATE",
            format!("UPDATE postrider.{name} SET tenant_id = tenant_id RETURNING tenant_id"),
        ),
        ("DELETE", format!("DELETE FROM postrider.{name} RETURNING tenant_id")),
    ] {
        client.batch_execute("BEGIN").await?;
        // No trigger of ours runs: it is the rows that the statement finds that count.
        client.batch_execute("SET LOCAL session_replication_role = replica").await?;
        if granted {
            client
                .batch_execute(&format!("GRANT ALL ON postrider.{name} TO postrider_api"))
                .await?;
        }
        if let Some(tenant) = tenant {
            client.batch_execute(&format!("SET LOCAL postrider.tenant_id = '{tenant}'")).await?;
        }
        client.batch_execute("SET LOCAL ROLE postrider_api").await?;
        walled.statements += 1;
        let found = client.query(&statement, &[]).await;
        client.batch_execute("ROLLBACK").await?;
        let found = match found {
            Ok(rows) => rows,
            Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                walled.denied += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let of: Vec<Option<String>> = found.iter().map(|row| row.get(0)).collect();
        let others = of.iter().filter(|of| of.as_deref() != tenant || tenant.is_none()).count();
        // The wall has a door: of its own rows the tenant is shown some.
        let own_missing = granted && table.both && tenant.is_some() && of.len() == others;
        if others > 0 || own_missing {
            walled.reached.push(format!(
                "{verb} {name} as {tenant:?}: {others} rows of others, {} of its own",
                of.len() - others
            ));
        }
    }
    Ok(())
}
