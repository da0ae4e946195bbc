//! A process that publishes with random gaps from several connections, some transactions being held open for a while.
//! Says at the end how many events it committed.

use std::time::Duration;

use anyhow::Context as _;
use postrider::{Event, EventType, checked_commit, publish_tx};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::kit::Dice;

/// Options of such a process.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    url: String,
    #[arg(long)]
    tenant: String,
    #[arg(long)]
    connections: u64,
    /// How many events all of them publish together
    #[arg(long)]
    events: u64,
    /// The mean gap between the transactions of one connection, in microseconds
    #[arg(long)]
    gap: u64,
    #[arg(long)]
    seed: u64,
}

/// What it says at the end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) committed: u64,
}

/// Of a thousand transactions so many stay open between publish and commit.
const HELD: u64 = 200;
/// For how long, on average.
const HOLD: Duration = Duration::from_millis(3);
/// Of a thousand gaps so many are none: bursts.
const BURST: u64 = 300;

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    for number in 0..options.connections {
        let share = options.events / options.connections
            + u64::from(number < options.events % options.connections);
        let dice = Dice::new(options.seed ^ (number << 32));
        let gap = Duration::from_micros(options.gap);
        connections.spawn(publish(options.url.clone(), options.tenant.clone(), share, gap, dice));
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    println!("{}", serde_json::to_string(&Report { committed: options.events })?);
    Ok(())
}

async fn publish(
    url: String,
    tenant: String,
    events: u64,
    gap: Duration,
    mut dice: Dice,
) -> anyhow::Result<()> {
    let (mut client, connection) =
        tokio_postgres::connect(&url, NoTls).await.context("connect to the database")?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let event_type = EventType::parse("wake.up")?;
    for number in 0..events {
        if !dice.per_mille(BURST) {
            tokio::time::sleep(dice.gap(gap)).await;
        }
        let event = Event::new(event_type.clone(), tenant.as_str())
            .data_text(format!("{{\"number\":{number}}}"));
        let tx = client.transaction().await?;
        let _ = publish_tx(&tx, &event).await?;
        if dice.per_mille(HELD) {
            tokio::time::sleep(dice.gap(HOLD)).await;
        }
        checked_commit(tx).await?;
    }
    Ok(())
}
