//! What the process counts. A handle that is cheap to clone; series are plain atomics, so counting never waits.
//!
//! Names are `postrider_<noun>_<unit>[_total]`. No label ever holds an id, a URL, a tenant or a message, and every series
//! exists from the start with 0, so a rate sees the first event too.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;

mod series;

pub use series::{Seconds, Series};

type Label = [(&'static str, &'static str); 1];

const OUTCOMES: &[&str] = &["delivered", "retry", "exhausted", "rejected"];
const CIRCUIT_CHANGES: &[&str] = &["opened", "recovered", "disabled"];
const CIRCUITS: &[&str] = &["open", "half_open", "paused"];
const WAKEUP_MODES: &[&str] = &["listen", "poll"];
/// The error classes of an attempt; a class that is not listed is counted as `other`.
const ERROR_CLASSES: &[&str] = &[
    "dns",
    "dns_timeout",
    "connect",
    "tls_expired",
    "tls_wrong_name",
    "tls_self_signed",
    "tls_unknown_issuer",
    "tls_version",
    "tls_invalid",
    "tls",
    "timeout",
    "blocked_address",
    "reset",
    "invalid_response",
    "response_too_large",
    "http_status",
    "auth",
    "invalid_url",
    "proxy",
    "internal",
    "other",
];
const STAGES: &[&str] =
    &["session", "fanout", "delivery", "recorder", "janitor", "gauges", "other"];
const TABLES: &[&str] = &[
    "webhook_events",
    "webhook_deliveries_closed",
    "webhook_attempts",
    "webhook_event_ids",
    "webhook_publish_failures",
    "webhook_events_failed",
    "webhook_events_pending",
    "webhook_deliveries_open",
    "other",
];

/// A handle on the process's metrics.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Series>);

impl Deref for Metrics {
    type Target = Series;

    fn deref(&self) -> &Series {
        &self.0
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All series, at 0.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Series::new()))
    }

    /// Counts one attempt: its outcome, the class of its error if it had one, and how long it took.
    pub fn attempt(&self, outcome: &'static str, error: Option<&'static str>, took: Duration) {
        self.attempts.get_or_create(&[("outcome", known(OUTCOMES, outcome))]).inc();
        if let Some(class) = error {
            self.attempt_errors.get_or_create(&[("class", known(ERROR_CLASSES, class))]).inc();
        }
        self.attempt_duration.observe(took.as_secs_f64());
    }

    /// Attempts counted with this outcome.
    #[must_use]
    pub fn attempts(&self, outcome: &'static str) -> u64 {
        self.attempts.get_or_create(&[("outcome", known(OUTCOMES, outcome))]).get()
    }

    /// Counts an endpoint's change: `opened` (its circuit), `recovered` or `disabled`.
    pub fn circuit(&self, what: &'static str) {
        self.circuit_changes.get_or_create(&[("change", known(CIRCUIT_CHANGES, what))]).inc();
    }

    /// Says how many endpoints have their circuit in this state, `open` or `half_open`, or are `paused`.
    pub fn set_circuits(&self, state: &'static str, endpoints: usize) {
        let gauge = self.circuits.get_or_create(&[("state", known(CIRCUITS, state))]);
        gauge.set(i64::try_from(endpoints).unwrap_or(i64::MAX));
    }

    /// Says how this worker is woken: `listen` or `poll`.
    pub fn set_wakeup_mode(&self, mode: &'static str) {
        for known in WAKEUP_MODES {
            self.wakeup_mode.get_or_create(&[("mode", known)]).set(i64::from(*known == mode));
        }
    }

    /// Counts a failed call to the database.
    pub fn db_error(&self, stage: &'static str) {
        self.db_errors.get_or_create(&[("stage", known(STAGES, stage))]).inc();
    }

    /// Counts rows that retention deleted from a table.
    pub fn deleted(&self, table: &'static str, rows: u64) {
        self.rows_deleted.get_or_create(&[("table", known(TABLES, table))]).inc_by(rows);
    }

    /// Counts a vacuum of a hot table.
    pub fn vacuumed(&self, table: &'static str) {
        self.vacuums.get_or_create(&[("table", known(TABLES, table))]).inc();
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}

/// The value itself if it is one of the known, else the last of them: labels stay bounded whatever a caller passes.
fn known(values: &'static [&'static str], value: &str) -> &'static str {
    values.iter().find(|known| **known == value).or(values.last()).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests;
