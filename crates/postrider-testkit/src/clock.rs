//! The clock of the journals: CLOCK_MONOTONIC in nanoseconds, one clock for all processes of a machine until it restarts.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some moment at or before the machine's start; comparable between processes, never set back.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let parts = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    let (Ok(seconds), Ok(nanos)) = parts else { unreachable!("this clock begins at zero") };
    seconds * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_forward_and_other_processes_see_the_same() {
        let first = monotonic_ns();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        let second = monotonic_ns();
        assert!(first <= second);
        if let Some(seconds) = uptime.split('.').next().and_then(|s| s.parse::<u64>().ok()) {
            assert!((first / 1_000_000_000).abs_diff(seconds) <= 2, "{first} {uptime}");
        }
    }
}
