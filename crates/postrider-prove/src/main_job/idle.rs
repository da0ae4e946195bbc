//! An idle worker and its sessions in the server cost next to nothing.
//! Counts the processor time of the worker, and of every process of the server: that of its own sessions could not be told
//! from that of sessions that came and went, so all of the server is counted against the target.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::kit::{Ground, Installation, Lines};

/// Of one core.
const TARGET: f64 = 1.0;

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let settling = Duration::from_secs(ground.size(30, 5));
    let watched = Duration::from_secs(ground.size(60, 15));
    let mut installation = Installation::new(ground, "idle").await?;
    // One endpoint that once had something to do, as in an installation that is in use.
    let sink = crate::kit::Sink::start(&installation.folder).await?;
    installation.add_endpoint(&sink.base, "all", "default", "*", &[]).await?;
    let worker = installation.worker(&[]).await?;
    installation.succeed(&["events", "publish", "email.sent"]).await?;
    installation.drained(Duration::from_secs(10)).await?;
    tokio::time::sleep(settling).await;

    let (worker_before, server_before) = (time_of(worker.pid())?, server_time(&installation)?);
    let begun = Instant::now();
    tokio::time::sleep(watched).await;
    let seconds = begun.elapsed().as_secs_f64();
    let worker_share = share(time_of(worker.pid())?.own - worker_before.own, seconds);
    let server_share = share(server_time(&installation)?.saturating_sub(server_before), seconds);
    let sum = worker_share + server_share;
    lines.put(
        sum < TARGET,
        "idle",
        format!(
            "{sum:.2} % of a core over {seconds:.0} s: worker {worker_share:.2} %, PostgreSQL {server_share:.2} %"
        ),
        format!("< {TARGET} %"),
        json!({ "worker_percent": worker_share, "server_percent": server_share, "seconds": seconds,
                "settled_s": settling.as_secs() }),
    );
    worker.stop().await?;
    installation.end().await
}

fn share(ticks: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number of ticks is small")]
    let used = ticks as f64 / TICKS_PER_SECOND;
    used / seconds * 100.0
}

/// The unit of processor times in `/proc`; 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time in ticks.
#[derive(Debug, Clone, Copy)]
struct Time {
    own: u64,
    /// Of children that have ended.
    children: u64,
}

/// The processor time that a process has used so far.
fn time_of(pid: u32) -> anyhow::Result<Time> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read /proc")?;
    let (_, fields) = text.rsplit_once(") ").context("read /proc")?;
    let numbers: Vec<u64> = fields.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
    // Field 14 of the manual is the twelfth after the name: user, system, and the same of ended children.
    ensure!(numbers.len() > 15, "/proc has another format");
    Ok(Time { own: numbers[11] + numbers[12], children: numbers[13] + numbers[14] })
}

/// The processor time of the server: its processes, and those that have ended.
fn server_time(installation: &Installation) -> anyhow::Result<u64> {
    let processes = installation.server.processes();
    let postmaster = *processes.first().context("a running server")?;
    let living: u64 =
        processes.iter().filter_map(|pid| time_of(*pid).ok()).map(|time| time.own).sum();
    Ok(living + time_of(postmaster)?.children)
}
