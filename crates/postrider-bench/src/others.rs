//! How quiet the machine was: what was used of it by processes that are none of ours.

use std::time::Instant;

use anyhow::Result;

use crate::sink::Sink;
use crate::site::Site;
use crate::usage;

/// A moment to count from.
pub(crate) struct Since {
    at: Instant,
    machine: f64,
    ours: f64,
}

impl Since {
    pub(crate) fn now(site: &Site, sink: &Sink) -> Result<Self> {
        Ok(Self { at: Instant::now(), machine: usage::machine_busy()?, ours: ours(site, sink)? })
    }

    /// Percent of the machine, all cores, that others have used since. The kernel's own work for us counts as others',
    /// so a few percent are normal.
    pub(crate) fn others_percent(&self, site: &Site, sink: &Sink) -> Result<f64> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let others = (usage::machine_busy()? - self.machine) - (ours(site, sink)? - self.ours);
        Ok(100.0 * others / (self.at.elapsed().as_secs_f64() * cores))
    }
}

/// This process, the workers and loops that it has waited for, the sink and the server.
fn ours(site: &Site, sink: &Sink) -> Result<f64> {
    let this = usage::cpu(std::process::id())?;
    Ok(this.own + this.children + sink.cpu() + site.server_cpu())
}
