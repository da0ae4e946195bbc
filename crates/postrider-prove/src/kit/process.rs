//! A process that a proof started, with its log; it is killed when its handle is dropped.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// A child process.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    pid: u32,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; all it prints goes to `log`, which is continued.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        let pid = child.id().ok_or_else(|| anyhow!("{name} ended at once"))?;
        Ok(Self { name: name.to_owned(), pid, child, log: log.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn signal(&self, which: Signal) -> anyhow::Result<()> {
        signal(self.pid, which).with_context(|| format!("signal {}", self.name))
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        let ended = ended
            .map_err(|_| anyhow!("{} has not ended within {} s", self.name, limit.as_secs_f32()))?;
        Ok(ended?)
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub(crate) async fn stop(mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(limit).await
    }
}

/// Signals a process that this run started.
pub(crate) fn signal(pid: u32, which: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process id")?;
    Ok(kill_process(pid, which)?)
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
