//! A worker: a `postrider run` process.

use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::bail;
use rustix::process::Signal;
use tokio::process::Command;
use tokio_postgres::Client;

use super::evidence::Evidence;
use super::page::page;
use super::process::Process;

/// How long a worker may take to enter the fleet.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to stop: its grace time, and some.
const STOP_LIMIT: Duration = Duration::from_secs(45);

/// A running worker. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    name: String,
    process: Process,
    /// Where it shows its metrics, and where they are kept.
    watched: Option<(String, Evidence)>,
}

impl Worker {
    pub(super) fn start(name: &str, command: Command, folder: &Path) -> anyhow::Result<Self> {
        let process = Process::start(name, command, &folder.join(format!("{name}.log")))?;
        Ok(Self { name: name.to_owned(), process, watched: None })
    }

    /// The same, with its metrics kept when it stops.
    pub(super) fn watched_at(self, watched: Option<(String, Evidence)>) -> Self {
        Self { watched, ..self }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has logged.
    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Waits until it has entered the fleet.
    pub(crate) async fn wait_until_registered(&self, client: &Client) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.incarnations(client).await?.is_empty() {
            if begun.elapsed() > START_LIMIT {
                bail!("{} has not entered the fleet; it said:\n{}", self.name, self.printed());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The incarnations under which it is in the fleet.
    pub(crate) async fn incarnations(&self, client: &Client) -> anyhow::Result<Vec<i64>> {
        let sql = "SELECT incarnation FROM postrider.webhook_workers WHERE name = $1";
        Ok(client.query(sql, &[&self.name]).await?.iter().map(|row| row.get(0)).collect())
    }

    /// Ends it as `kill -9` does.
    pub(crate) async fn kill(self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    /// Stops (SIGSTOP) or continues (SIGCONT) it where it stands.
    pub(crate) fn signal(&self, which: Signal) -> anyhow::Result<()> {
        self.process.signal(which)
    }

    /// Stops it in an orderly way (SIGTERM).
    pub(crate) async fn stop(self) -> anyhow::Result<ExitStatus> {
        if let Some((address, evidence)) = &self.watched
            && let Ok(metrics) = page(address, "/metrics").await
        {
            evidence.keep("metrics", &metrics)?;
        }
        self.process.stop(STOP_LIMIT).await
    }
}
