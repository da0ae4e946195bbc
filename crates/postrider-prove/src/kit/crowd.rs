//! A thousand endpoints of ten tenants, their receiver and their publisher in processes of their own, as a proof steers them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::talk::Talk;

/// Endpoints of one tenant.
const OF_A_TENANT: u64 = 40;

/// What an endpoint is like while the ill are ill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Well,
    Hangs,
    Fails,
    Refuses,
}

/// The manner of an endpoint: of twenty in a row two hang, two fail and one refuses connections.
pub(crate) fn manner(endpoint: u64) -> Manner {
    match endpoint % 20 {
        0 | 1 => Manner::Hangs,
        2 | 3 => Manner::Fails,
        4 => Manner::Refuses,
        _ => Manner::Well,
    }
}

/// The tenant of an endpoint, and the type of event that it alone wants.
pub(crate) fn place(endpoint: u64) -> (String, String) {
    (format!("tenant{}", endpoint / OF_A_TENANT), format!("for.n{endpoint}"))
}

/// What the receiver says when it has started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CrowdAddresses {
    /// The healthy ones have a port of their own, as if they were elsewhere: no connection is shared with the others.
    pub(crate) base: String,
    pub(crate) others: String,
    /// Connections to this are refused while the ill are ill.
    pub(crate) refusing: String,
}

/// What came since the last reset.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct CrowdTally {
    /// To the well.
    pub(crate) well: u64,
    /// To the others, while they were well too.
    pub(crate) others: u64,
    pub(crate) hung: u64,
    pub(crate) failed: u64,
    /// How many endpoints it was that hung, and that failed.
    pub(crate) hung_endpoints: u64,
    pub(crate) failed_endpoints: u64,
}

/// What a publisher says at the end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Offered {
    pub(crate) events: u64,
    pub(crate) seconds: f64,
}

/// The receiver process.
#[derive(Debug)]
pub(crate) struct Crowd {
    talk: Talk,
    pub(crate) addresses: CrowdAddresses,
    arrivals: PathBuf,
}

impl Crowd {
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let arrivals = folder.join("arrivals.json");
        let arguments = ["crowd", "--arrivals", &arrivals.display().to_string()];
        let mut talk = Talk::start("crowd", &arguments, folder)?;
        let addresses = talk.hear(Duration::from_secs(10)).await?;
        Ok(Self { talk, addresses, arrivals })
    }

    /// Where requests to an endpoint go.
    pub(crate) fn url(&self, endpoint: u64) -> String {
        let CrowdAddresses { base, others, refusing } = &self.addresses;
        match manner(endpoint) {
            Manner::Well => format!("{base}/well/{endpoint}"),
            Manner::Hangs => format!("{others}/hang/{endpoint}"),
            Manner::Fails => format!("{others}/fail/{endpoint}"),
            Manner::Refuses => format!("{refusing}/refuse/{endpoint}"),
        }
    }

    /// The ill are ill from now on, or well.
    pub(crate) async fn ill(&mut self, ill: bool) -> anyhow::Result<()> {
        let _: String = self.talk.ask(&format!("ill {ill}")).await?;
        Ok(())
    }

    /// Forgets what came.
    pub(crate) async fn reset(&mut self) -> anyhow::Result<()> {
        let _: String = self.talk.ask("reset").await?;
        Ok(())
    }

    /// Waits until so many came to the well, but no longer than `limit` (25 s at most).
    pub(crate) async fn wait(&mut self, count: u64, limit: Duration) -> anyhow::Result<CrowdTally> {
        self.talk.ask(&format!("wait {count} {}", limit.as_millis().min(25_000))).await
    }

    /// When the events whose ids begin so came to the well, by their numbers, in nanoseconds; the first time each.
    pub(crate) async fn arrivals(&mut self, prefix: &str) -> anyhow::Result<HashMap<u64, u64>> {
        let _: String = self.talk.ask("arrivals").await?;
        let list: Vec<(String, u64)> = serde_json::from_slice(&std::fs::read(&self.arrivals)?)
            .context("read what the receiver wrote down")?;
        let mut first = HashMap::new();
        for (id, at) in list {
            let number = id.strip_prefix(prefix).and_then(|number| number.parse().ok());
            if let Some(number) = number {
                first.entry(number).or_insert(at);
            }
        }
        Ok(first)
    }
}

/// An offered load.
#[derive(Debug, Clone)]
pub(crate) struct Load<'a> {
    pub(crate) url: &'a str,
    /// The beginning of the events' ids.
    pub(crate) prefix: &'a str,
    pub(crate) events: u64,
    /// Events a second; 0: as many as the publisher can.
    pub(crate) rate: f64,
    pub(crate) endpoints: u64,
}

impl Load<'_> {
    /// Offers it, by a process of its own: how that went, and when each COMMIT was sent, in nanoseconds.
    pub(crate) async fn offer(&self, folder: &Path) -> anyhow::Result<(Offered, Vec<u64>)> {
        let committed = folder.join("committed.json");
        let (rate, file) = (self.rate.to_string(), committed.display().to_string());
        let (events, endpoints) = (self.events.to_string(), self.endpoints.to_string());
        let what = ["steady", "--url", self.url, "--prefix", self.prefix, "--events", &events];
        let how = ["--rate", &rate, "--connections", "16", "--endpoints", &endpoints];
        let arguments = [&what[..], &how[..], &["--committed", &file]].concat();
        let mut process = Talk::start("steady", &arguments, folder)?;
        let offered = process.hear(Duration::from_secs(300)).await?;
        Ok((offered, serde_json::from_slice(&std::fs::read(committed)?)?))
    }
}
