//! The product: one `postrider run` process with its defaults.
//!
//! Three settings are not defaults: the database, `--dev` (the sink is on this machine, behind http) and no port for health
//! checks (several runs would quarrel about it).

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::site::{Database, Site};
use crate::usage;

/// Longer than the product's own grace time.
const STOP_LIMIT: Duration = Duration::from_secs(45);
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running worker; killed when dropped without [`Worker::stop`].
pub(crate) struct Worker {
    child: Child,
    pid: u32,
    log: std::path::PathBuf,
}

impl Worker {
    /// Starts one; its log goes to a file.
    pub(crate) fn start(site: &Site, database: &Database) -> Result<Self> {
        let log = site.folder().join(format!("{}.log", database.name));
        let output = File::create(&log).context("making the worker's log")?;
        let mut command = Command::new(site.program());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("POSTRIDER_") {
                command.env_remove(name);
            }
        }
        let child = command
            .args(["run", "--dev"])
            .env("POSTRIDER_DATABASE_URL", &database.url)
            .env("POSTRIDER_MASTER_KEY", site.master_key())
            .env("POSTRIDER_ADMIN_LISTEN", "off")
            .current_dir(site.folder())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", site.program().display()))?;
        let pid = child.id().context("the worker ended at once")?;
        Ok(Self { child, pid, log })
    }

    /// Starts one and waits until it has entered the fleet.
    pub(crate) async fn start_and_settle(site: &Site, database: &Database) -> Result<Self> {
        let mut worker = Self::start(site, database)?;
        let client = database.connect.client().await?;
        let registered = async {
            loop {
                worker.check()?;
                let sql = "SELECT EXISTS (SELECT FROM postrider.webhook_workers)";
                if client.query_one(sql, &[]).await?.get(0) {
                    return Ok::<(), anyhow::Error>(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START_LIMIT, registered)
            .await
            .context("the worker does not come up")??;
        // What it does once at its start is not what is measured.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(worker)
    }

    /// Fails when the process has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the worker has ended ({status}):\n{}", self.last_words());
        }
        Ok(())
    }

    /// Processor seconds used so far.
    pub(crate) fn cpu(&self) -> f64 {
        usage::cpu(self.pid).unwrap_or_default().own
    }

    /// The most memory it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        usage::peak_memory(self.pid)
    }

    /// Asks it to stop, waits for it, and fails if it did not end tidily.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.check()?;
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM).context("stopping the worker")?;
        let status = tokio::time::timeout(STOP_LIMIT, self.child.wait())
            .await
            .context("the worker does not stop")??;
        if !status.success() {
            bail!("the worker did not end tidily ({status}):\n{}", self.last_words());
        }
        Ok(())
    }

    /// Ends it without a chance to put anything in order.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.check()?;
        self.child.kill().await.context("killing the worker")
    }

    /// The end of its log.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}
