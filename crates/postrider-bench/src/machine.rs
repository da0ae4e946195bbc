//! Where the run takes place: what a reader needs to judge the figures.

use anyhow::Result;

use crate::args::Run;
use crate::report::Machine;
use crate::site::Site;

/// The load of the machine over the last minute.
pub(crate) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

/// Collects the facts; `load_before` was taken before anything was started.
pub(crate) async fn facts(site: &Site, run: &Run, load_before: f64) -> Result<Machine> {
    let (postgresql, measured_at) = site.server_facts().await?;
    let version = tokio::process::Command::new(site.program()).arg("--version").output().await?;
    Ok(Machine {
        measured_at,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
        memory_gib: memory_gib().unwrap_or(f64::NAN),
        postgresql,
        others_percent: f64::NAN,
        load_before,
        postrider: String::from_utf8_lossy(&version.stdout).trim().to_owned(),
        rounds: run.sizes().rounds,
        quick: run.quick,
        limit_in_flight: None,
    })
}

fn memory_gib() -> Option<f64> {
    let kib: f64 = field("/proc/meminfo", "MemTotal")?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0 / 1024.0)
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
