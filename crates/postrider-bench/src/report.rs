//! What came out: rows of figures beside what they are compared with. This is the JSON; `table` is the same for people.

use serde::Serialize;

use crate::samples::Samples;

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Why no ratio of this run may be quoted.
    pub(crate) void: Option<String>,
    pub(crate) rows: Vec<Row>,
}

/// Where and when it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) measured_at: String,
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) memory_gib: f64,
    pub(crate) postgresql: String,
    /// Percent of the machine that other processes used during the run: how quiet it was.
    pub(crate) others_percent: f64,
    /// Load of the machine in the minute before the run.
    pub(crate) load_before: f64,
    pub(crate) postrider: String,
    pub(crate) rounds: u32,
    pub(crate) quick: bool,
    /// Requests in flight of the bare loop.
    pub(crate) limit_in_flight: Option<usize>,
}

/// One figure of the product, a value in every round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// A name for programs, such as `drain.1`.
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) figures: Samples,
    /// What it is compared with, measured in the same rounds.
    pub(crate) beside: Option<Beside>,
    pub(crate) target: Option<Target>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Beside {
    pub(crate) what: String,
    pub(crate) figures: Samples,
    pub(crate) ratios: Samples,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    Bytes,
    Mebibytes,
    PercentOfACore,
    Count,
}

/// What the figure, or the ratio where there is one, ought to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    pub(crate) fn new(
        name: &'static str,
        what: impl Into<String>,
        unit: Unit,
        figures: Samples,
    ) -> Self {
        Self { name, what: what.into(), unit, figures, beside: None, target: None }
    }

    /// Sets what it is compared with.
    pub(crate) fn beside(mut self, what: impl Into<String>, figures: &Samples) -> Self {
        let ratios = self.figures.over(figures);
        self.beside = Some(Beside { what: what.into(), figures: figures.clone(), ratios });
        self
    }

    /// Sets what the ratio, or without one the figure, ought to be.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Whether the median is what it ought to be.
    pub(crate) fn meets(&self) -> Option<bool> {
        let median = self.beside.as_ref().map_or(&self.figures, |beside| &beside.ratios).median();
        Some(match self.target? {
            Target::AtLeast(least) => median >= least,
            Target::AtMost(most) => median <= most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(figures: &[f64]) -> Samples {
        figures.iter().copied().collect()
    }

    #[test]
    fn a_target_is_held_against_the_ratio_where_there_is_one() {
        let row = Row::new("x", "x", Unit::PerSecond, samples(&[40.0, 60.0]))
            .beside("y", &samples(&[80.0, 100.0]));
        assert_eq!(row.meets(), None);
        assert_eq!(row.clone().target(Target::AtLeast(0.5)).meets(), Some(true));
        assert_eq!(row.target(Target::AtLeast(0.6)).meets(), Some(false));
        let row =
            Row::new("x", "x", Unit::Milliseconds, samples(&[1.0])).target(Target::AtMost(2.0));
        assert_eq!(row.meets(), Some(true));
    }
}
