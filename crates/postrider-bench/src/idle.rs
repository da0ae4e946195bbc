//! The idle cost: a worker that has delivered something once and now has nothing to do.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::progress::Progress;
use crate::site::Site;
use crate::worker::Worker;

/// Percent of one core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Idle {
    pub(crate) worker: f64,
    /// The whole server: backends and background processes.
    pub(crate) server: f64,
}

/// Waits until the worker has settled, then for so long again, and says what was used meanwhile.
pub(crate) async fn measure(
    site: &Site,
    worker: &mut Worker,
    settle: Duration,
    span: Duration,
    progress: &Progress,
) -> Result<Idle> {
    wait(settle, "idle: settling", progress).await;
    let (started, before) = (Instant::now(), (worker.cpu(), site.server_cpu()));
    wait(span, "idle", progress).await;
    worker.check()?;
    let percent = 100.0 / started.elapsed().as_secs_f64();
    Ok(Idle {
        worker: (worker.cpu() - before.0) * percent,
        server: (site.server_cpu() - before.1) * percent,
    })
}

async fn wait(span: Duration, what: &str, progress: &Progress) {
    let until = Instant::now() + span;
    while let Some(left) =
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        progress.say(|| format!("{what}: {} s left", left.as_secs()));
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
}
