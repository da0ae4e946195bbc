//! How much room things take on disk: all tables of the product with their indexes.

use anyhow::Result;
use tokio_postgres::Client;

/// How much more room a database takes for the same events, in bytes, after a plain VACUUM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    /// For its first events: with the room that the two queues took at their fullest and keep.
    pub(crate) first: f64,
    /// For as many again, drained in the same way: the queues use their room again.
    pub(crate) again: f64,
}

/// The room in use after a plain VACUUM, in bytes.
pub(crate) async fn room(client: &Client) -> Result<f64> {
    // The first takes empty pages out of the indexes, the second lets them be used again; the janitor comes by all the time.
    client.batch_execute("VACUUM").await?;
    client.batch_execute("VACUUM").await?;
    let sql = "SELECT sum(pg_total_relation_size(c.oid))::float8
        FROM pg_class c WHERE c.relnamespace = 'postrider'::regnamespace AND c.relkind = 'r'";
    Ok(client.query_one(sql, &[]).await?.get(0))
}
