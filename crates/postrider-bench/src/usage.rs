//! What a process has used, from `/proc`: processor time and the peak of its memory.

use anyhow::{Context as _, Result};

/// Processor time in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct CpuTimes {
    /// Of the process, all its threads, user and system.
    pub(crate) own: f64,
    /// Of its children that have ended.
    pub(crate) children: f64,
}

/// What a process has used of the processor.
pub(crate) fn cpu(pid: u32) -> Result<CpuTimes> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .context("reading a process's times")?;
    parse_stat(&stat, ticks()).context("a process's times look strange")
}

/// Processor seconds that the whole machine has been busy since it started, all cores together.
pub(crate) fn machine_busy() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat").context("reading the machine's times")?;
    parse_busy(&stat, ticks()).context("the machine's times look strange")
}

/// The most memory that a process has had at once, in bytes.
pub(crate) fn peak_memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .context("reading a process's memory")?;
    parse_peak(&status).context("a process's memory looks strange")
}

fn ticks() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// User, nice, system, then idle and waiting, which are left out, then interrupts and what the host took (stolen).
fn parse_busy(stat: &str, ticks: f64) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<f64> = line.split_ascii_whitespace().map_while(|f| f.parse().ok()).collect();
    let busy = fields.get(..8)?;
    Some((busy.iter().sum::<f64>() - busy[3] - busy[4]) / ticks)
}

/// Fields 14 to 17 in clock ticks. The name before them stands in parentheses and may hold anything.
fn parse_stat(stat: &str, ticks: f64) -> Option<CpuTimes> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / ticks);
    Some(CpuTimes { own: seconds(11)? + seconds(12)?, children: seconds(13)? + seconds(14)? })
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_any_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194304 90 0 0 0 150 50 30 10 20 0 9 0 555 1 2";
        assert_eq!(parse_stat(stat, 100.0), Some(CpuTimes { own: 2.0, children: 0.4 }));
        assert_eq!(parse_stat("42 (x) S 1", 100.0), None);
    }

    #[test]
    fn idle_time_is_not_busy() {
        let stat = "cpu  100 10 50 9999 888 1 2 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(parse_busy(stat, 10.0), Some(17.0));
        assert_eq!(parse_busy("cpu  1 2", 10.0), None);
        assert!(machine_busy().unwrap() > 0.0);
    }

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(parse_peak("VmPeak:\t  99 kB\nVmHWM:\t   20 kB\n"), Some(20 * 1024));
        assert_eq!(parse_peak("VmPeak:\t  99 kB\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        assert!(peak_memory(std::process::id()).unwrap() > 100_000);
        assert!(cpu(std::process::id()).unwrap().own >= 0.0);
    }
}
