//! A process that publishes at a constant rate, one event a transaction, whatever comes of them: an offered load. Event `<prefix><n>`
//! is of the type that endpoint n modulo all of them wants, and of its tenant. Writes down when each COMMIT was sent.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use postrider_testkit::monotonic_ns;
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

use crate::kit::{Offered, answer, place};

/// Options of such a process.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    url: String,
    /// The beginning of the events' ids
    #[arg(long)]
    prefix: String,
    #[arg(long)]
    events: u64,
    /// Events a second; 0: as many as it can
    #[arg(long)]
    rate: f64,
    #[arg(long)]
    connections: u64,
    #[arg(long)]
    endpoints: u64,
    /// Where the times are written
    #[arg(long)]
    committed: PathBuf,
}

const PUBLISH: &str = "SELECT postrider.publish_v1($1, $2, $3, '{\"subject\":\"a neighbour''s event\",\"number\":1}', NULL, NULL, NULL, NULL, NULL, true)";

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let begun = tokio::time::Instant::now() + Duration::from_millis(50);
    let mut connections = JoinSet::new();
    for first in 0..options.connections {
        let (client, connection) = tokio_postgres::connect(&options.url, NoTls)
            .await
            .context("connect to the database")?;
        let numbers: Vec<u64> =
            (first..options.events).step_by(usize::try_from(options.connections)?).collect();
        let (prefix, rate, endpoints) = (options.prefix.clone(), options.rate, options.endpoints);
        connections.spawn(async move {
            tokio::select! {
                ended = publish(client, &prefix, numbers, rate, endpoints, begun) => ended,
                ended = connection => {
                    ended?;
                    anyhow::bail!("the connection has ended")
                }
            }
        });
    }
    let mut committed = vec![0_u64; usize::try_from(options.events)?];
    while let Some(ended) = connections.join_next().await {
        for (number, at) in ended?? {
            committed[usize::try_from(number)?] = at;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::write(&options.committed, serde_json::to_vec(&committed)?)?;
    answer(&Offered { events: options.events, seconds })
}

/// One connection's events, each at its time; those that are late follow at once.
async fn publish(
    client: Client,
    prefix: &str,
    numbers: Vec<u64>,
    rate: f64,
    endpoints: u64,
    begun: tokio::time::Instant,
) -> anyhow::Result<Vec<(u64, u64)>> {
    let statement = client.prepare(PUBLISH).await?;
    let mut committed = Vec::with_capacity(numbers.len());
    for number in numbers {
        if rate > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "there are few enough")]
            let after = Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(begun + after).await;
        }
        let (tenant, event_type) = place(number % endpoints);
        let id = format!("{prefix}{number}");
        let parameters: [&(dyn ToSql + Sync); 3] = [&tenant, &id, &event_type];
        let (opened, published) =
            tokio::join!(client.batch_execute("BEGIN"), client.query(&statement, &parameters));
        opened?;
        published?;
        let sent = monotonic_ns();
        client.batch_execute("COMMIT").await?;
        committed.push((number, sent));
    }
    Ok(committed)
}
