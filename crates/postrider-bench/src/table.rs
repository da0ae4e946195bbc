//! The report for people: a heading and a table that is Markdown too.

use comfy_table::{CellAlignment, Table, presets};

use crate::report::{Report, Row, Target, Unit};
use crate::samples::Samples;

/// Percent of the machine above which others disturb the run.
const NOISE: f64 = 10.0;

impl Report {
    /// The table for people.
    pub(crate) fn table(&self) -> String {
        of_rows(&self.rows, self.void.is_some())
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

/// The rows as a table.
pub(crate) fn of_rows(rows: &[Row], is_void: bool) -> String {
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
    for row in rows {
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
        let verdict = match (row.meets(), is_void) {
            (None, _) => "",
            (Some(_), true) => "void",
            (Some(true), false) => "met",
            (Some(false), false) => "MISSED",
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

impl Unit {
    fn text(self, figure: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(figure)),
            Self::Milliseconds => format!("{figure:.2} ms"),
            Self::Microseconds => format!("{figure:.1} µs"),
            Self::Nanoseconds => format!("{} ns", thousands(figure)),
            Self::Bytes => format!("{} B", thousands(figure)),
            Self::Mebibytes => format!("{figure:.1} MiB"),
            Self::PercentOfACore => format!("{figure:.2} %"),
            Self::Count => thousands(figure),
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
    fn figures_are_written_for_people() {
        assert_eq!(
            spread(&samples(&[41_500.4, 1_000.0, 1_234_567.0]), Unit::PerSecond),
            "41,500/s (1,000–1,234,567)"
        );
        assert_eq!(spread(&samples(&[1.254]), Unit::Milliseconds), "1.25 ms");
        assert_eq!((thousands(-1234.0), thousands(999.0)), ("-1,234".to_owned(), "999".to_owned()));
    }
}
