//! What the checker found.

use std::fmt;

use serde::Serialize;

/// One violation, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whose event it is.
    pub tenant: String,
    /// The event's id.
    pub event: String,
    /// The token of the endpoint, where one is concerned.
    pub token: Option<String>,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.event)?;
        if let Some(token) = &self.token {
            write!(f, " at {token}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// What there was to judge.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Transactions that committed.
    pub committed: u64,
    /// Transactions that did not.
    pub rolled_back: u64,
    /// Transactions whose publisher never learned it, so that the database was asked.
    pub in_doubt: u64,
    /// Events that committed.
    pub events: u64,
    /// Events that fan-out gave up, with a recorded reason.
    pub failed_events: u64,
    /// Deliveries that had to be there.
    pub expected: u64,
    /// Deliveries that a receiver accepted and the database calls delivered.
    pub delivered: u64,
    /// Deliveries that ended otherwise, recorded: exhausted, rejected, cancelled, …
    pub ended_otherwise: u64,
    /// Requests that arrived.
    pub receipts: u64,
    /// Requests after, or beside, one that was answered with a 2xx.
    pub duplicates: u64,
    /// Faults that struck.
    pub faults: u64,
    /// The sum of what was in flight at them.
    pub in_flight_at_faults: u64,
}

/// The judgement on a run; the table is at [`crate::check`].
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What there was to judge.
    pub totals: Totals,
    /// I1: committed, and neither delivered nor ended.
    pub lost: Vec<Finding>,
    /// I1: called delivered, and never accepted.
    pub claimed: Vec<Finding>,
    /// I1: not subscribed to.
    pub misrouted: Vec<Finding>,
    /// I2: rolled back, and stored or sent.
    pub phantom: Vec<Finding>,
    /// I2: never published, and stored or sent.
    pub invented: Vec<Finding>,
    /// I3: another tenant's.
    pub cross_tenant: Vec<Finding>,
    /// I4: there twice.
    pub double_rows: Vec<Finding>,
    /// I5: sent again without an excuse.
    pub unexcused_duplicates: Vec<Finding>,
    /// I5: sent again more often than the faults excuse.
    pub over_budget: Vec<Finding>,
    /// I6: other bytes.
    pub body_changed: Vec<Finding>,
    /// I7: a newer outcome overwritten.
    pub stale_overwrites: Vec<Finding>,
    /// Why the run proves nothing.
    pub vacuous: Vec<String>,
}

impl Verdict {
    /// The findings by the name of their rule and its invariant, in the order of the invariants.
    #[must_use]
    pub fn findings(&self) -> [(&'static str, &'static str, &[Finding]); 11] {
        [
            ("lost", "I1", &self.lost),
            ("claimed", "I1", &self.claimed),
            ("misrouted", "I1", &self.misrouted),
            ("phantom", "I2", &self.phantom),
            ("invented", "I2", &self.invented),
            ("cross_tenant", "I3", &self.cross_tenant),
            ("double_rows", "I4", &self.double_rows),
            ("unexcused_duplicates", "I5", &self.unexcused_duplicates),
            ("over_budget", "I5", &self.over_budget),
            ("body_changed", "I6", &self.body_changed),
            ("stale_overwrites", "I7", &self.stale_overwrites),
        ]
    }

    /// Whether the run proves what it should: nothing found, and something to find it in.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.vacuous.is_empty() && self.findings().iter().all(|(_, _, found)| found.is_empty())
    }

    /// The names of the rules that were broken.
    #[must_use]
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self
            .findings()
            .into_iter()
            .filter(|(_, _, found)| !found.is_empty())
            .map(|(name, _, _)| name);
        broken.chain((!self.vacuous.is_empty()).then_some("vacuous")).collect()
    }
}

/// How many findings of one rule are shown.
const SHOWN: usize = 5;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.totals;
        writeln!(
            f,
            "{} transactions committed, {} rolled back, {} of them in doubt at first",
            t.committed, t.rolled_back, t.in_doubt
        )?;
        writeln!(
            f,
            "{} events, {} deliveries expected, {} delivered, {} ended otherwise, {} events failed",
            t.events, t.expected, t.delivered, t.ended_otherwise, t.failed_events
        )?;
        writeln!(
            f,
            "{} requests, {} duplicates, {} faults with {} in flight",
            t.receipts, t.duplicates, t.faults, t.in_flight_at_faults
        )?;
        for reason in &self.vacuous {
            writeln!(f, "proves nothing: {reason}")?;
        }
        for (name, invariant, found) in self.findings() {
            writeln!(f, "{invariant} {name}: {}", found.len())?;
            for finding in found.iter().take(SHOWN) {
                writeln!(f, "   {finding}")?;
            }
            if found.len() > SHOWN {
                writeln!(f, "   and {} more", found.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}
