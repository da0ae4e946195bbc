//! The lab of the address guard as the proof steers it: a child in a network namespace of its own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::talk::Talk;

/// A network namespace with addresses of all ranges, listeners, a name server and proxies.
#[derive(Debug)]
pub(crate) struct Lab {
    talk: Talk,
    pid: u32,
    /// How many addresses its interface owns.
    pub(crate) owned: usize,
}

/// What the lab says when it has started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LabReady {
    pub(crate) owned: usize,
}

/// What arrived in the lab.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct LabSeen {
    /// By port, the addresses at which connections were accepted.
    pub(crate) accepted: BTreeMap<u16, Vec<IpAddr>>,
    /// Whom the proxies were asked to connect to.
    pub(crate) tunnels: Vec<String>,
}

impl Lab {
    /// Makes the namespace. Fails with the reason where this machine or this account may make none.
    pub(crate) async fn start(folder: &Path, first_port: u16, ports: u16) -> anyhow::Result<Self> {
        let probe = Command::new("unshare").args(["--net", "true"]).output().await;
        match probe {
            Err(error) => bail!("no network namespace can be made: unshare (util-linux): {error}"),
            Ok(output) if !output.status.success() => {
                let why = String::from_utf8_lossy(&output.stderr);
                bail!("no network namespace can be made here: {}", why.trim());
            }
            Ok(_) => {}
        }
        let mut command = Command::new("unshare");
        command.arg("--net").arg(std::env::current_exe()?).arg("guard-lab");
        command.args(["--first-port", &first_port.to_string(), "--ports", &ports.to_string()]);
        let mut talk = Talk::of("guard-lab", command, folder)?;
        let ready: LabReady = talk.hear(Duration::from_secs(30)).await?;
        let pid = talk.pid().context("the lab ended at once")?;
        Ok(Self { talk, pid, owned: ready.owned })
    }

    /// What has arrived since the last call of [`Lab::forget`].
    pub(crate) async fn seen(&mut self) -> anyhow::Result<LabSeen> {
        self.talk.ask("seen").await
    }

    pub(crate) async fn forget(&mut self) -> anyhow::Result<()> {
        self.talk.say("forget").await
    }

    /// The same command, run inside the namespace.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let command = command.as_std();
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/proc/{}/ns/net", self.pid)).arg(command.get_program());
        inside.args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }
}
