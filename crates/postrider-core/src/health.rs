//! Whether an endpoint is well, judged by what its attempts brought back.
//!
//! Takes what is known ([`Health`]) and what came in since ([`Report`]); returns what is known now and the transitions
//! between. Pure: the store writes the result by compare-and-set, so every worker comes to the same one.

use std::time::Duration;

use jiff::Timestamp;

use crate::answer::Answer;
use crate::retry::{Verdict, pauses_endpoint};
use crate::status::ErrorClass;

/// How long an endpoint is left alone after our egress proxy failed on the way to it.
pub const PROXY_WAIT: Duration = Duration::from_secs(3);

/// The detail of an attempt for which no token was asked, because the token server had just failed another. The one that asked is a
/// failure; as many as there happen to be after it are none.
pub const TOKEN_PAUSED: &str = "oauth_token_paused";
/// How long a token server that failed is left alone, and its endpoint with it.
pub const TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// What attempts mean for an endpoint's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Consecutive failures that open the circuit.
    pub open_after: u32,
    /// From the opening to the first probe; each probe that fails doubles it.
    pub probe_after: Duration,
    /// The longest wait between two probes.
    pub probe_at_most: Duration,
    /// A circuit that is open for this long, without a success, disables the endpoint; zero: never.
    pub disable_after: Duration,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            open_after: 10,
            probe_after: Duration::from_secs(30),
            probe_at_most: Duration::from_secs(15 * 60),
            disable_after: Duration::from_secs(5 * 24 * 3600),
        }
    }
}

/// Whether deliveries flow to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Circuit {
    /// They flow.
    #[default]
    Closed,
    /// They wait.
    Open,
    /// They wait, while one of them is tried.
    HalfOpen,
}

impl Circuit {
    /// The text under which it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    /// The circuit of that text; anything unknown lets deliveries wait for a probe.
    pub fn from_stored(text: &str) -> Self {
        match text {
            "closed" => Self::Closed,
            "half_open" => Self::HalfOpen,
            _ => Self::Open,
        }
    }
}

/// What is known about an endpoint. The default is a clean record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    pub circuit: Circuit,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Probes that failed since the circuit opened.
    pub failed_probes: u32,
    pub opened_at: Option<Timestamp>,
    /// When the next probe may be made, while the circuit is open.
    pub next_probe_at: Option<Timestamp>,
    /// The receiver asked for a pause until then.
    pub paused_until: Option<Timestamp>,
    /// The first failure since the last success.
    pub first_failure_at: Option<Timestamp>,
    /// The last success that ended a failure; others are not written down.
    pub last_success_at: Option<Timestamp>,
    /// When its owner was told that it will be disabled.
    pub warned_at: Option<Timestamp>,
}

/// What came in about one endpoint, in its order: a success or none, then failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub succeeded: bool,
    /// Failures after the last success.
    pub failures: u32,
    /// The receiver asked for a pause until then (`429` or `503` with `Retry-After`). Such an answer is no failure.
    pub pause_until: Option<Timestamp>,
    /// What came in last was the probe.
    pub probe: bool,
}

impl Report {
    /// What came in after `self`.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            succeeded: self.succeeded || later.succeeded,
            failures: if later.succeeded { 0 } else { self.failures }
                .saturating_add(later.failures),
            pause_until: self.pause_until.max(later.pause_until),
            probe: self.probe || later.probe,
        }
    }
}

/// What one answer says about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Well,
    Failed,
    /// It answers, and asks to be left alone for this long.
    Paused(Duration),
    /// Our own egress proxy failed, so nothing reached it and nothing will for a while: it is tried again after this long, and no
    /// attempt is counted.
    Unasked(Duration),
    /// The receiver was not asked, or the fault is ours.
    Nothing,
    /// There was no request to make: nothing is left to send, or nobody waits for it any more.
    Unmade,
}

impl Finding {
    /// Whether it was an attempt of the delivery's schedule: a wait that the receiver asked for is none, nor is a failure on our way.
    pub fn counts(self) -> bool {
        !matches!(self, Self::Paused(_) | Self::Unasked(_))
    }

    /// What becomes of the delivery, where its schedule says `verdict`: another attempt after the wait, if it did not count.
    pub fn verdict(self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (
                Self::Paused(after) | Self::Unasked(after),
                Verdict::Retry { .. } | Verdict::Exhausted,
            ) => Verdict::Retry { after },
            (_, verdict) => verdict,
        }
    }
}

/// What an answer that came in just `now` says about the endpoint; a pause is `ceiling` at most.
pub fn finding(answer: &Answer, now: Timestamp, ceiling: Duration) -> Finding {
    if answer.is_success() {
        return Finding::Well;
    }
    if answer.detail == Some(TOKEN_PAUSED) {
        return Finding::Paused(TOKEN_PAUSE);
    }
    match answer.error {
        Some(ErrorClass::BlockedAddress | ErrorClass::InvalidUrl) => Finding::Nothing,
        Some(ErrorClass::Proxy) => Finding::Unasked(PROXY_WAIT),
        Some(class) if class.is_ours() => Finding::Nothing,
        _ => pauses_endpoint(answer, now, ceiling).map_or(Finding::Failed, Finding::Paused),
    }
}

/// What a report changed that somebody may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The circuit opened.
    Opened,
    /// The circuit closed, or the endpoint was failing for long and is not any more.
    Recovered,
    /// It will be disabled at this time unless a request succeeds.
    Warned { disabled_at: Timestamp },
    /// It failed for too long.
    Disabled,
}

impl Health {
    /// Whether there is nothing to remember that a success would change.
    pub fn is_clean(&self) -> bool {
        self.circuit == Circuit::Closed
            && self.consecutive_failures == 0
            && self.first_failure_at.is_none()
            && self.paused_until.is_none()
    }

    /// Until when its deliveries wait; `None` if they flow. A probe that is under way has no time of its own here.
    pub fn waits_until(&self) -> Option<Timestamp> {
        let probe = match self.circuit {
            Circuit::Closed => None,
            Circuit::Open | Circuit::HalfOpen => self.next_probe_at,
        };
        probe.max(self.paused_until)
    }
}

/// Judges a report: what is known from now on, and the transitions in their order.
pub fn after(
    known: &Health,
    report: &Report,
    now: Timestamp,
    policy: &HealthPolicy,
) -> (Health, Vec<Transition>) {
    let mut health = known.clone();
    let mut transitions = Vec::new();
    if report.succeeded {
        if health.circuit != Circuit::Closed || health.warned_at.is_some() {
            transitions.push(Transition::Recovered);
        }
        // A success that was under way does not end a pause that was asked for.
        let paused_until = health.paused_until.filter(|until| *until > now);
        health = Health { paused_until, last_success_at: Some(now), ..Health::default() };
    }
    if report.failures > 0 || report.pause_until.is_some() {
        health.first_failure_at.get_or_insert(now);
    }
    health.paused_until = health.paused_until.max(report.pause_until);
    health.consecutive_failures = health.consecutive_failures.saturating_add(report.failures);
    match health.circuit {
        Circuit::Closed if health.consecutive_failures >= policy.open_after => {
            health.circuit = Circuit::Open;
            health.opened_at = Some(now);
            health.next_probe_at = Some(later(now, policy.probe_after));
            transitions.push(Transition::Opened);
        }
        Circuit::HalfOpen if report.probe => {
            health.circuit = Circuit::Open;
            if report.failures > 0 {
                health.failed_probes = health.failed_probes.saturating_add(1);
            }
            health.next_probe_at = Some(later(now, wait(policy, health.failed_probes)));
        }
        _ => {}
    }
    if report.failures > 0 && health.circuit != Circuit::Closed {
        transitions.extend(given_up(&mut health, now, policy));
    }
    (health, transitions)
}

/// The wait after this many failed probes.
fn wait(policy: &HealthPolicy, failed: u32) -> Duration {
    policy
        .probe_after
        .saturating_mul(1_u32.checked_shl(failed.min(31)).unwrap_or(u32::MAX))
        .min(policy.probe_at_most)
}

/// A warning when four fifths of the time have passed; then, after the rest of it, the end, and never sooner after the warning. The
/// time runs from when the circuit opened: before that it may just have had nothing to do.
fn given_up(health: &mut Health, now: Timestamp, policy: &HealthPolicy) -> Option<Transition> {
    let since = health.opened_at.filter(|_| !policy.disable_after.is_zero())?;
    let warn_after = policy.disable_after.mul_f64(0.8);
    let rest = policy.disable_after.saturating_sub(warn_after);
    let Some(warned_at) = health.warned_at else {
        if now < later(since, warn_after) {
            return None;
        }
        health.warned_at = Some(now);
        let disabled_at = later(since, policy.disable_after).max(later(now, rest));
        return Some(Transition::Warned { disabled_at });
    };
    let end = later(since, policy.disable_after).max(later(warned_at, rest));
    (now >= end).then_some(Transition::Disabled)
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
