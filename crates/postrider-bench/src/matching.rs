//! The cost of matching: 10,000 endpoints of one tenant, all subscribed to the type, filters of three clauses, half matching.
//!
//! Measured by the program beside this one whose allocator counts. No database takes part.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::args::Match;
use crate::report::{Row, Target, Unit};
use crate::samples::Samples;
use crate::{table, write_json};

/// Nanoseconds that one endpoint may cost.
const MOST: f64 = 1000.0;

/// What the program says about one kind of filter.
#[derive(Debug, Deserialize)]
struct Figures {
    name: String,
    endpoints: usize,
    matching: usize,
    nanoseconds: Vec<f64>,
    allocations: Vec<f64>,
}

/// The rows, in the shape of the report of a whole run.
#[derive(Debug, Serialize)]
struct Report {
    void: Option<String>,
    rows: Vec<Row>,
}

/// Measures, prints the table, and writes the JSON where it is wanted.
pub(crate) fn run(options: &Match) -> Result<ExitCode> {
    let figures = measure(options.rounds.unwrap_or(if options.quick { 2 } else { 5 }))?;
    let report = Report { void: None, rows: figures.iter().flat_map(rows).collect() };
    let text = table::of_rows(&report.rows, false);
    write_json(options.json.as_deref(), &text, &report)?;
    Ok(ExitCode::SUCCESS)
}

fn measure(rounds: u32) -> Result<Vec<Figures>> {
    let program = program()?;
    let mut command = Command::new(&program);
    command.arg(rounds.to_string()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("starting {}", program.display()))?;
    if !output.status.success() {
        bail!("{} ended with {}", program.display(), output.status);
    }
    let figures: Vec<Figures> =
        serde_json::from_slice(&output.stdout).context("reading its figures")?;
    figures.iter().try_for_each(check)?;
    Ok(figures)
}

/// Endpoints that do not match cost less: what they cost is no figure of those that do.
fn check(figures: &Figures) -> Result<()> {
    let Figures { name, endpoints, matching, .. } = figures;
    if *matching == 0 || matching * 2 != *endpoints {
        bail!("{name}: {matching} of {endpoints} endpoints match, which must be half of them");
    }
    Ok(())
}

/// The program that counts, from beside this one.
fn program() -> Result<PathBuf> {
    let this = std::env::current_exe().context("finding this program")?;
    Ok(this.with_file_name("postrider-bench-match"))
}

fn rows(figures: &Figures) -> [Row; 2] {
    let Figures { name, endpoints, matching, .. } = figures;
    let (time, count) = match name.as_str() {
        "match.data" => ("match.data", "match.data.allocations"),
        _ => ("match", "match.allocations"),
    };
    let kind = if name == "match.data" { ", two of them on data" } else { "" };
    let what = format!("match: {endpoints} endpoints, 3 clauses{kind}, {matching} matching: each");
    let samples = |figures: &[f64]| -> Samples { figures.iter().copied().collect() };
    [
        Row::new(time, what, Unit::Nanoseconds, samples(&figures.nanoseconds))
            .target(Target::AtMost(MOST)),
        Row::new(
            count,
            "… allocations for all of them",
            Unit::Count,
            samples(&figures.allocations),
        )
        .target(Target::AtMost(0.0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_nothing_or_everything_is_no_measurement() {
        let checked = |matching: usize| {
            let (nanoseconds, allocations) = (vec![1.0], vec![0.0]);
            check(&Figures {
                name: "match".to_owned(),
                endpoints: 10,
                matching,
                nanoseconds,
                allocations,
            })
        };
        assert!(checked(5).is_ok());
        for matching in [0, 4, 6, 10] {
            assert!(checked(matching).is_err(), "{matching}");
        }
    }

    #[test]
    fn one_allocation_or_a_microsecond_too_much_misses_the_target() {
        let judged = |nanoseconds: f64, allocations: f64| {
            let figures = Figures {
                name: "match".to_owned(),
                endpoints: 10_000,
                matching: 5_000,
                nanoseconds: vec![nanoseconds],
                allocations: vec![allocations],
            };
            rows(&figures).map(|row| row.meets())
        };
        assert_eq!(judged(999.0, 0.0), [Some(true), Some(true)]);
        assert_eq!(judged(1001.0, 1.0), [Some(false), Some(false)]);
    }
}
