//! `postrider completions`: the script that teaches a shell our commands.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Ended;
use crate::args::Cli;
use crate::exit::Exit;

/// Options of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "postrider", &mut script);
    // A reader that went away wants no more of it.
    drop(std::io::Write::write_all(&mut std::io::stdout(), &script));
    Ok(Exit::Done)
}
