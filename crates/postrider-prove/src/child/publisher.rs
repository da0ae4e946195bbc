//! A publisher process: commits events with a business row beside each, rolls some back in four ways, and journals every
//! intent before its end. Lost connections are made again; an event whose commit is in doubt is published again.
//! Reads `hurry` from standard input (no more gaps); says at the end how many there were.

mod transaction;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use postrider::{Event, EventType};
use postrider_testkit::Journal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use self::transaction::{Ended, Ending};
use crate::kit::Dice;

/// Options of a publisher process.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    url: String,
    #[arg(long)]
    journal: PathBuf,
    /// Beginning of its transactions' and events' names
    #[arg(long)]
    name: String,
    /// How many events are to be committed
    #[arg(long)]
    events: u64,
    #[arg(long, value_delimiter = ',')]
    tenants: Vec<String>,
    /// The mean gap between transactions, in microseconds
    #[arg(long)]
    gap: u64,
    #[arg(long)]
    seed: u64,
}

/// What a publisher says when it has done its work.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) committed: u64,
    pub(crate) rolled_back: u64,
    /// Commits whose answer never came.
    pub(crate) in_doubt: u64,
    /// Transactions that a lost connection ended before their COMMIT was sent.
    pub(crate) interrupted: u64,
}

/// Of a thousand transactions so many are rolled back: one in ten of all that end.
const ROLLED_BACK: u64 = 100;
const TYPES: [&str; 5] =
    ["email.received", "email.sent", "email.bounced", "order.paid", "user.made"];

struct Publisher {
    options: Options,
    journal: Journal,
    dice: Dice,
    /// Drives the connection; aborted to break it.
    driver: JoinSet<()>,
    transactions: u64,
    report: Report,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let hurry = Arc::new(AtomicBool::new(false));
    let mut listening = JoinSet::new();
    let heard = Arc::clone(&hurry);
    listening.spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(_)) = lines.next_line().await {
            heard.store(true, Ordering::Relaxed);
        }
        std::process::exit(1); // who started this is gone
    });
    let journal = Journal::append(&options.journal).context("open the journal")?;
    let dice = Dice::new(options.seed);
    let mut publisher = Publisher {
        options,
        journal,
        dice,
        driver: JoinSet::new(),
        transactions: 0,
        report: Report::default(),
    };
    publisher.publish_all(&hurry).await?;
    println!("{}", serde_json::to_string(&publisher.report)?);
    std::process::exit(0) // the listener would keep waiting
}

impl Publisher {
    async fn publish_all(&mut self, hurry: &AtomicBool) -> anyhow::Result<()> {
        let mut client = None;
        let mut number = 0;
        while self.report.committed < self.options.events {
            number += 1;
            let ending = self.ending();
            let event = self.event(number)?;
            loop {
                let connected = match client.take() {
                    Some(client) => client,
                    None => self.connect().await,
                };
                let (ended, kept) = self.transaction(connected, &event, ending).await?;
                client = kept;
                match ended {
                    Some(Ended::Committed) => self.report.committed += 1,
                    Some(Ended::RolledBack) => self.report.rolled_back += 1,
                    Some(Ended::InDoubt) => self.report.in_doubt += 1,
                    None => self.report.interrupted += 1,
                }
                // What was interrupted never happened; what is in doubt is said again, as the library advises.
                if !matches!(ended, None | Some(Ended::InDoubt)) {
                    break;
                }
            }
            if !hurry.load(Ordering::Relaxed) {
                let gap = self.dice.gap(Duration::from_micros(self.options.gap));
                tokio::time::sleep(gap).await;
            }
        }
        Ok(())
    }

    fn ending(&mut self) -> Ending {
        match (self.dice.per_mille(ROLLED_BACK), self.dice.below(4)) {
            (false, _) => Ending::Commit,
            (true, 0) => Ending::Savepoint,
            (true, 1) => Ending::Vanish,
            (true, _) => Ending::Rollback,
        }
    }

    fn event(&mut self, number: u64) -> anyhow::Result<Event> {
        let tenant = self.dice.pick(&self.options.tenants).clone();
        let event_type = EventType::parse(*self.dice.pick(&TYPES))?;
        let key = format!("{}-{number}", self.options.name);
        let filler = "🦔 ".repeat(usize::try_from(self.dice.below(60))?);
        let data = format!("{{\"key\":\"{key}\", \"number\":{number}.0,\"filler\":\"{filler}\"}}");
        Ok(Event::new(event_type, tenant)
            .id_from([key])
            .attribute("publisher", self.options.name.as_str())
            .labels([format!("l{}", number % 7)])
            .data_text(data))
    }

    /// A connection, however long that takes.
    async fn connect(&mut self) -> Client {
        self.driver.abort_all();
        loop {
            if let Ok((client, connection)) =
                tokio_postgres::connect(&self.options.url, NoTls).await
            {
                self.driver.spawn(async move { drop(connection.await) });
                return client;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
