//! `postrider-bench`: measures Postrider beside what it is compared with, in one run.
//!
//! `rounds` is the run; each measurement is a file of its own; `report` is what comes out. The sink and the bare loop are
//! this program too, started again as processes of their own.

mod args;
mod backlog;
mod bare;
mod drain;
mod events;
mod figures;
mod idle;
mod latency;
mod limit;
mod machine;
mod matching;
mod others;
mod progress;
mod publish;
mod report;
mod rounds;
mod rows;
mod samples;
mod sink;
mod site;
mod storage;
mod table;
mod usage;
mod worker;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::args::{Cli, Part, Run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.part {
        Some(Part::Sink) => sink::serve().map(|()| ExitCode::SUCCESS),
        Some(Part::Bare(bare)) => bare::run(bare).map(|()| ExitCode::SUCCESS),
        Some(Part::Match(options)) => matching::run(options),
        None => measure(&cli.run),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("postrider-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs and reports. A void run is a failure; a missed target is a figure like any other.
fn measure(run: &Run) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(rounds::measure(run))?;
    let text = format!("{}\n\n{}", report.heading(), report.table());
    write_json(run.json.as_deref(), &text, &report)?;
    Ok(if report.void.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the text and writes the figures as JSON, the text on standard error where the figures go to standard output.
fn write_json(file: Option<&Path>, text: &str, figures: &impl serde::Serialize) -> Result<()> {
    let json = || serde_json::to_string_pretty(figures).context("writing the report");
    match file {
        Some(path) if path == Path::new("-") => {
            eprintln!("{text}");
            println!("{}", json()?);
        }
        Some(path) => {
            println!("{text}");
            std::fs::write(path, json()?).with_context(|| format!("writing {}", path.display()))?;
        }
        None => println!("{text}"),
    }
    Ok(())
}
