//! `postrider man`: manual pages, made of the same tree of commands as the help.

use std::io::Write as _;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_mangen::{Man, generate_to};

use super::Ended;
use crate::args::Cli;
use crate::exit::{Exit, Failure};

/// Options of `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write a page for each command into this folder; none: print that of postrider
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Ended {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        // Writing into memory does not fail, and a reader that went away wants no more of it.
        drop(Man::new(Cli::command()).render(&mut page));
        drop(std::io::stdout().write_all(&page));
        return Ok(Exit::Done);
    };
    let written = std::fs::create_dir_all(dir).and_then(|()| generate_to(Cli::command(), dir));
    match written {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(Failure::new(Exit::Failed, format!("cannot write to {}", dir.display()))
            .why(error.to_string())),
    }
}
