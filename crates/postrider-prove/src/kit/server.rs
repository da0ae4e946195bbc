//! The PostgreSQL server of a proof: durable, its own, and able to die.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use postrider_embedded_pg::{EmbeddedPg, Options};
use rustix::process::Signal;

use super::process::signal;

/// A private server that fsyncs what is committed.
#[derive(Debug)]
pub(crate) struct Server {
    options: Options,
    /// `None` while it is down.
    running: Option<EmbeddedPg>,
    url: String,
}

impl Server {
    /// Makes a cluster in `folder` and starts its server, with these settings beside our own.
    pub(crate) async fn start(folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut options = Options::new(folder.join("postgres"));
        let ours = [("max_connections", "200"), ("track_commit_timestamp", "on")];
        let all = ours.iter().chain(settings);
        options.settings =
            all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Self { options, running: None, url: String::new() };
        server.up().await?;
        Ok(server)
    }

    /// Starts it again where it is down; after a crash it recovers first.
    pub(crate) async fn up(&mut self) -> anyhow::Result<()> {
        if self.running.is_none() {
            let running = postrider_embedded_pg::start(self.options.clone()).await;
            let running = running.context("start PostgreSQL")?;
            running.url().clone_into(&mut self.url);
            self.running = Some(running);
        }
        Ok(())
    }

    /// The URL of its database; the same after every start.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The folder of the cluster.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.options.data_dir.join("pgdata")
    }

    /// All processes of the server; the first one is the postmaster, if it lives.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let Some(server) = &self.running else { return Vec::new() };
        let postmaster = server.postmaster_pid();
        let others = server.processes().into_iter().filter(|pid| Some(*pid) != postmaster);
        postmaster.into_iter().chain(others).collect()
    }

    /// Kills every process of the server with SIGKILL, the postmaster first.
    pub(crate) async fn crash(&mut self) -> anyhow::Result<()> {
        for _ in 0..1_000 {
            let processes = self.processes();
            for pid in &processes {
                // One that has ended by itself meanwhile is as good as killed.
                let _ = signal(*pid, Signal::KILL);
            }
            if processes.is_empty() {
                self.running = None;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("processes of PostgreSQL survive SIGKILL: {:?}", self.processes())
    }

    /// Whether its postmaster lives.
    pub(crate) fn is_up(&self) -> bool {
        self.running.as_ref().is_some_and(|server| server.postmaster_pid().is_some())
    }

    /// Notes that it has ended by itself, so that [`Server::up`] starts it.
    pub(crate) fn has_ended(&mut self) {
        self.running = None;
    }

    /// Stops it in an orderly way.
    pub(crate) async fn down(&mut self) -> anyhow::Result<()> {
        if let Some(running) = self.running.take() {
            running.stop().await.context("stop PostgreSQL")?;
        }
        Ok(())
    }
}

/// A line that fails, or is interrupted while the server starts, must not leave it behind.
impl Drop for Server {
    fn drop(&mut self) {
        for pid in self.processes().into_iter().chain(postmaster_of(&self.cluster())) {
            let _ = signal(pid, Signal::KILL);
        }
    }
}

/// The process that the cluster's pid file names, if it runs this cluster: a file that a crash left may name a stranger.
fn postmaster_of(cluster: &Path) -> Option<u32> {
    let file = std::fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let pid: u32 = file.lines().next()?.trim().parse().ok()?;
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    command.split('\0').any(|word| Path::new(word) == cluster).then_some(pid)
}
