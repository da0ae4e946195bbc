//! What processor time processes have used, in seconds.

use anyhow::{Context as _, ensure};

use super::Server;

/// The unit of processor times in `/proc`; 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Of a process.
pub(crate) fn cpu_of(pid: u32) -> anyhow::Result<f64> {
    Ok(seconds(time_of(pid)?.own))
}

/// Of the server: its processes, and those that have ended.
pub(crate) fn server_cpu(server: &Server) -> anyhow::Result<f64> {
    let processes = server.processes();
    let postmaster = *processes.first().context("a running server")?;
    let living: u64 =
        processes.iter().filter_map(|pid| time_of(*pid).ok()).map(|time| time.own).sum();
    Ok(seconds(living + time_of(postmaster)?.children))
}

struct Time {
    own: u64,
    /// Of children that have ended.
    children: u64,
}

fn time_of(pid: u32) -> anyhow::Result<Time> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read /proc")?;
    let (_, fields) = text.rsplit_once(") ").context("read /proc")?;
    let numbers: Vec<u64> = fields.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
    // Field 14 of the manual is the twelfth after the name: user, system, and the same of ended children.
    ensure!(numbers.len() > 15, "/proc has another format");
    Ok(Time { own: numbers[11] + numbers[12], children: numbers[13] + numbers[14] })
}

fn seconds(ticks: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number of ticks is small")]
    let ticks = ticks as f64;
    ticks / TICKS_PER_SECOND
}
