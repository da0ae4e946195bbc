//! The `postrider` binary: one process is one command, and how it ended is its exit code.

mod args;
mod commands;
mod config;
mod context;
mod daemon;
mod exit;
mod input;
mod json;
mod logging;
mod lookup;
mod master_key;
mod output;
#[cfg(test)]
mod reference;
mod sink;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let sources = context::sources();
    let out =
        Output::new(cli.global.json, cli.global.quiet, cli.global.color, &sources.environment);
    let ended =
        match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(commands::run(cli, sources)),
            Err(error) => Err(Failure::new(Exit::Failed, "the async runtime does not start")
                .why(error.to_string())),
        };
    let exit = match ended {
        Ok(exit) => exit,
        Err(failure) => {
            out.failure(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}
