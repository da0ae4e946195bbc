//! The limit: how fast the bare loop and the sink are together. Every drain is a share of this.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::progress::Progress;
use crate::sink::Sink;

/// Below this the machine was not quiet, or is too small, and no ratio of the run means anything.
pub(crate) const FLOOR: f64 = 60_000.0;

/// Requests in flight that are tried; the best is used for the whole run.
const IN_FLIGHT: [usize; 4] = [10, 16, 32, 64];
const LONGEST: Duration = Duration::from_secs(120);

/// Finds how many requests in flight are best here.
pub(crate) async fn calibrate(
    sink: &mut Sink,
    requests: u64,
    progress: &Progress,
) -> Result<usize> {
    let mut best = (0.0, IN_FLIGHT[0]);
    for in_flight in IN_FLIGHT {
        progress.say(|| format!("limit: trying {in_flight} in flight"));
        let rate = measure(sink, in_flight, requests).await?;
        if rate > best.0 {
            best = (rate, in_flight);
        }
    }
    Ok(best.1)
}

/// Runs the bare loop once; requests a second, from the first arrival to the last.
pub(crate) async fn measure(sink: &mut Sink, in_flight: usize, requests: u64) -> Result<f64> {
    sink.reset(false).await?;
    let program = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(program)
        .arg("bare")
        .arg(sink.url("/hook"))
        .arg(in_flight.to_string())
        .arg(requests.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting the bare loop")?;
    let status = tokio::time::timeout(LONGEST, child.wait())
        .await
        .context("the bare loop does not end")??;
    let tally = sink.tally().await?;
    if !status.success() || tally.count != requests {
        bail!("the bare loop ended with {status}; {} of {requests} requests arrived", tally.count);
    }
    Ok(tally.per_second())
}
