//! The subscriber of the benchmark: answers 200 at once and notes when each request came.
//!
//! A process of its own on one thread, so that its share of the processor is its own. `serve` is that process, `Sink` is
//! the handle by which a measurement starts it and asks it, in lines on its standard input and output. Times are those of
//! the machine's monotonic clock, which all processes share. Paths that begin with `/hang` are never answered.

mod serve;

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub(crate) use self::serve::serve;

use crate::usage;

/// How long the sink may take to answer a command, besides what the command itself waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What has come since the last reset.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Requests answered.
    pub(crate) count: u64,
    /// When the first of them was there, in nanoseconds.
    pub(crate) first_ns: u64,
    /// When the last was.
    pub(crate) last_ns: u64,
    /// Requests left hanging.
    pub(crate) hung: u64,
}

impl Tally {
    /// Requests a second, from the first arrival to the last.
    pub(crate) fn per_second(&self) -> f64 {
        let seconds = self.last_ns.saturating_sub(self.first_ns) as f64 / 1e9;
        if seconds > 0.0 { self.count.saturating_sub(1) as f64 / seconds } else { 0.0 }
    }
}

/// A running sink; it ends with this handle.
pub(crate) struct Sink {
    // Killed when dropped.
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Sink {
    /// Starts one on a free port of the loopback interface.
    pub(crate) async fn start() -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut child = Command::new(program)
            .arg("sink")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the sink")?;
        let commands = child.stdin.take().context("the sink has no standard input")?;
        let output = child.stdout.take().context("the sink has no standard output")?;
        let mut answers = BufReader::new(output).lines();
        let address = answers.next_line().await?.context("the sink did not start")?;
        Ok(Self { child, commands, answers, address })
    }

    /// Processor seconds used so far.
    pub(crate) fn cpu(&self) -> f64 {
        self.child.id().and_then(|pid| usage::cpu(pid).ok()).unwrap_or_default().own
    }

    /// The URL of a path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Counts from zero, and notes which event came when only if `record` is true.
    pub(crate) async fn reset(&mut self, record: bool) -> Result<()> {
        let _: Tally = self.ask(&format!("reset {record}"), Duration::ZERO).await?;
        Ok(())
    }

    /// Waits until so many requests were answered, but no longer than `limit`, and says what came.
    pub(crate) async fn wait(&mut self, count: u64, limit: Duration) -> Result<Tally> {
        self.ask(&format!("wait {count} {}", limit.as_millis()), limit).await
    }

    /// What came so far.
    pub(crate) async fn tally(&mut self) -> Result<Tally> {
        self.wait(0, Duration::ZERO).await
    }

    /// Which event came when, in nanoseconds.
    pub(crate) async fn arrivals(&mut self) -> Result<Vec<(String, u64)>> {
        self.ask("arrivals", Duration::ZERO).await
    }

    async fn ask<T: DeserializeOwned>(&mut self, command: &str, waits: Duration) -> Result<T> {
        self.commands
            .write_all(format!("{command}\n").as_bytes())
            .await
            .context("asking the sink")?;
        match tokio::time::timeout(waits + PATIENCE, self.answers.next_line()).await {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).context("reading the sink's answer"),
            Ok(Ok(None)) => bail!("the sink has ended"),
            Ok(Err(error)) => Err(error).context("reading the sink's answer"),
            Err(_) => bail!("the sink does not answer"),
        }
    }
}
