//! How much room things take on disk: all tables of the product with their indexes.

use anyhow::Result;
use tokio_postgres::Client;

/// Bytes on disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Of all tables.
    pub(crate) total: f64,
    /// Of those that keep what happened: ledger, bodies, closed deliveries, attempts. The rest, the two queues, is emptied
    /// and used again, so it does not grow with the number of events.
    pub(crate) kept: f64,
}

/// How much more room there is in use than at some earlier time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    /// As the drain left it.
    pub(crate) drained: f64,
    /// After a plain VACUUM.
    pub(crate) vacuumed: f64,
    /// Of that, what is kept.
    pub(crate) kept: f64,
}

/// The room in use now.
pub(crate) async fn room(client: &Client) -> Result<Room> {
    let sql = "SELECT sum(pg_total_relation_size(c.oid))::float8,
            coalesce(sum(pg_total_relation_size(c.oid))
                FILTER (WHERE c.relname NOT IN ('webhook_events_pending', 'webhook_deliveries_open')), 0)::float8
        FROM pg_class c WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind = 'r'";
    let row = client.query_one(sql, &[]).await?;
    Ok(Room { total: row.get(0), kept: row.get(1) })
}

/// How much more is in use than `before`; vacuums.
pub(crate) async fn growth(client: &Client, before: Room) -> Result<Growth> {
    let drained = room(client).await?;
    client.batch_execute("VACUUM").await?;
    let vacuumed = room(client).await?;
    Ok(Growth {
        drained: drained.total - before.total,
        vacuumed: vacuumed.total - before.total,
        kept: vacuumed.kept - before.kept,
    })
}
