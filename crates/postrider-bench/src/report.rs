//! What came out: rows of figures beside what they are compared with, as a table and as JSON.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::samples::Samples;

/// Percent of the machine above which others disturb the run.
const NOISE: f64 = 10.0;

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
    Bytes,
    Mebibytes,
    PercentOfACore,
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

impl Report {
    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "measured",
            "median (min–max)",
            "beside",
            "median (min–max)",
            "ratio (min–max)",
            "target",
            "",
        ]);
        for row in &self.rows {
            let (beside, besides, ratio) = match &row.beside {
                Some(b) => (
                    b.what.as_str(),
                    spread(&b.figures, row.unit),
                    spread_of(&b.ratios, |r| format!("{r:.2}")),
                ),
                None => ("", String::new(), String::new()),
            };
            let target = match (row.target, &row.beside) {
                (None, _) => String::new(),
                (Some(Target::AtLeast(least)), _) => format!("≥ {least}"),
                (Some(Target::AtMost(most)), _) => format!("≤ {}", row.unit.text(most)),
            };
            let verdict = match (row.meets(), &self.void) {
                (None, _) => "",
                (Some(_), Some(_)) => "void",
                (Some(true), None) => "met",
                (Some(false), None) => "MISSED",
            };
            table.add_row([
                &row.what,
                &spread(&row.figures, row.unit),
                beside,
                &besides,
                &ratio,
                &target,
                verdict,
            ]);
        }
        for index in [1, 3, 4] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }

    /// The lines above the table.
    pub(crate) fn heading(&self) -> String {
        let m = &self.machine;
        let quick = if m.quick { ", a quick run" } else { "" };
        let loop_of = m
            .limit_in_flight
            .map_or(String::new(), |n| format!("; the bare loop has {n} requests in flight"));
        let noise = match m.others_percent {
            others if others > NOISE => "\nThe machine was not quiet: all figures are too low.",
            _ => "",
        };
        let void = self.void.as_ref().map_or(String::new(), |why| format!("\nVOID: {why}"));
        format!(
            "{} · {} cores ({}), {:.0} GiB, others used {:.1} % of it · PostgreSQL {}, durable · {}\n{} rounds{quick}, alternated{loop_of}{noise}{void}",
            m.measured_at,
            m.cores,
            m.cpu,
            m.memory_gib,
            m.others_percent,
            m.postgresql,
            m.postrider,
            m.rounds
        )
    }
}

impl Unit {
    fn text(self, figure: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(figure)),
            Self::Milliseconds => format!("{figure:.2} ms"),
            Self::Microseconds => format!("{figure:.1} µs"),
            Self::Bytes => format!("{} B", thousands(figure)),
            Self::Mebibytes => format!("{figure:.1} MiB"),
            Self::PercentOfACore => format!("{figure:.2} %"),
        }
    }
}

fn spread(figures: &Samples, unit: Unit) -> String {
    spread_of(figures, |figure| unit.text(figure))
}

fn spread_of(figures: &Samples, text: impl Fn(f64) -> String) -> String {
    if figures.is_empty() {
        return String::new();
    }
    let median = text(figures.median());
    if figures.rounds() == 1 {
        return median;
    }
    // The unit is said once.
    let bare = |figure: f64| text(figure).split([' ', '/']).next().unwrap_or_default().to_owned();
    format!("{median} ({}–{})", bare(figures.least()), bare(figures.most()))
}

/// A whole number with a comma before every three digits.
fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && text != "-" {
            text.push(',');
        }
        text.push(digit);
    }
    text
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

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(
            spread(&samples(&[41_500.4, 1_000.0, 1_234_567.0]), Unit::PerSecond),
            "41,500/s (1,000–1,234,567)"
        );
        assert_eq!(spread(&samples(&[1.254]), Unit::Milliseconds), "1.25 ms");
        assert_eq!((thousands(-1234.0), thousands(999.0)), ("-1,234".to_owned(), "999".to_owned()));
    }
}
