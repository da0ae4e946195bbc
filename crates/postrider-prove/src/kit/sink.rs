//! The receiver of a proof, in a process of its own, as this one steers it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::installation::Endpoint;
use super::talk::Talk;

/// A receiver process.
#[derive(Debug)]
pub(crate) struct Sink {
    talk: Talk,
    /// The beginning of its URLs, without the last slash.
    pub(crate) base: String,
}

/// What a receiver says when it has started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listening {
    pub(crate) base: String,
}

/// What a receiver has seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SinkState {
    /// Requests that have begun to arrive and are not answered.
    pub(crate) open: u64,
    /// Requests that have arrived.
    pub(crate) count: u64,
    /// Requests to the path of a known endpoint whose signature its secret does not verify.
    pub(crate) unsigned: u64,
}

impl Sink {
    /// Starts one that journals into `folder`.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let journal = folder.join("sink.jsonl");
        let arguments = ["sink", "--journal", &journal.display().to_string()];
        let mut talk = Talk::start("sink", &arguments, folder)?;
        let listening: Listening = talk.hear(Duration::from_secs(10)).await?;
        Ok(Self { talk, base: listening.base })
    }

    /// Tells it the secret of an endpoint, so that it verifies what arrives there.
    pub(crate) async fn know(&mut self, endpoint: &Endpoint) -> anyhow::Result<()> {
        self.talk.say(&format!("secret {} {}", endpoint.token, endpoint.secret)).await
    }

    /// From now on answers wait so long.
    pub(crate) async fn hold(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.talk.say(&format!("hold {}", wait.as_millis())).await
    }

    /// From now on so many of a thousand first requests for a delivery are answered with this status.
    pub(crate) async fn fail_first(&mut self, per_mille: u32, status: u16) -> anyhow::Result<()> {
        self.talk.say(&format!("fail-first {per_mille} {status}")).await
    }

    /// From now on so many of a thousand requests, repeated ones too, are answered with this status.
    pub(crate) async fn fail(&mut self, per_mille: u32, status: u16) -> anyhow::Result<()> {
        self.talk.say(&format!("fail {per_mille} {status}")).await
    }

    /// What it has seen so far.
    pub(crate) async fn state(&mut self) -> anyhow::Result<SinkState> {
        self.talk.ask("state").await
    }

    /// Waits until so many requests are open; says how many were, at the end.
    pub(crate) async fn crowded(&mut self, wanted: u64, limit: Duration) -> anyhow::Result<u64> {
        let begun = Instant::now();
        loop {
            let open = self.state().await?.open;
            if open >= wanted || begun.elapsed() > limit {
                return Ok(open);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
