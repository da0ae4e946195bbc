//! The command line, and how large each measurement is.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures Postrider beside what it is compared with, in one run, and prints the ratios.
///
/// Everything runs on this machine: a private durable PostgreSQL, a sink that counts arrivals, and the real `postrider
/// run` with its defaults, each in a process of its own. Run it on a quiet machine and with release binaries.
#[derive(Debug, Parser)]
#[command(name = "postrider-bench", version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// A measurement without a database, and the processes that a run starts besides the product, which are not for people.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// What matching an event against 10,000 endpoints costs, and what it allocates
    Match(Match),
    /// Answers 200 to everything and notes when it came; commands on standard input
    #[command(hide = true)]
    Sink,
    /// Posts one request over and over, so many in flight
    #[command(hide = true)]
    Bare(Bare),
}

/// What the bare loop does.
#[derive(Debug, Args)]
pub(crate) struct Bare {
    pub(crate) url: String,
    pub(crate) in_flight: usize,
    pub(crate) requests: u64,
}

/// How matching is measured.
#[derive(Debug, Args)]
pub(crate) struct Match {
    /// How often it is repeated; 5, with --quick 2
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: Option<u32>,
    /// Fewer rounds
    #[arg(long)]
    pub(crate) quick: bool,
    /// Writes all figures as JSON; `-`: to standard output, and the table to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What is measured, how often, and where it goes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    /// How often each measurement is repeated, alternating with the others; 5, with --quick 2
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: Option<u32>,
    /// A small run: fewer rounds, shorter phases, a tenth of the backlog
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these measurements
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) only: Vec<Section>,
    /// Writes all figures as JSON; `-`: to standard output, and the table to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The `postrider` binary to measure; none: the one beside this program
    #[arg(long, value_name = "PATH")]
    pub(crate) postrider: Option<PathBuf>,
    /// Folder of the PostgreSQL server binaries; none: they are looked for
    #[arg(long, value_name = "DIR")]
    pub(crate) pg_bin_dir: Option<PathBuf>,
    /// Folder under which the cluster is made, and removed at the end; none: the system's temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// A bare POST loop of the same client against the same sink
    Limit,
    /// Events published while no worker runs, then delivered; fan-out 1 and 5
    Drain,
    /// 32 publishers against the same rows inserted plainly
    Publish,
    /// 50 events a second, from commit to arrival
    Latency,
    /// A drain while another session holds an old snapshot open
    Pinned,
    /// A drain beside 1,000,000 open deliveries
    Backlog,
    /// A worker that has nothing to do
    Idle,
}

/// How large the measurements are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) rounds: u32,
    /// Events of one drain.
    pub(crate) events: u64,
    /// Requests of one bare loop.
    pub(crate) requests: u64,
    /// How long each kind of publishing is measured.
    pub(crate) publish: Duration,
    /// How long events are published for their latency.
    pub(crate) latency: Duration,
    /// Events drained before the measured drain, with and without an old snapshot.
    pub(crate) history: u64,
    /// Open deliveries of the backlog.
    pub(crate) backlog: u64,
    /// How long a worker settles before its idle cost is measured, and how long that takes.
    pub(crate) settle: Duration,
    pub(crate) idle: Duration,
}

impl Run {
    /// Whether a measurement was asked for.
    pub(crate) fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    /// How large everything is.
    pub(crate) fn sizes(&self) -> Sizes {
        let seconds = Duration::from_secs;
        let sizes = if self.quick {
            Sizes {
                rounds: 2,
                events: 20_000,
                requests: 50_000,
                publish: seconds(1),
                latency: seconds(5),
                history: 40_000,
                backlog: 100_000,
                settle: seconds(10),
                idle: seconds(20),
            }
        } else {
            Sizes {
                rounds: 5,
                events: 20_000,
                requests: 100_000,
                publish: seconds(3),
                latency: seconds(20),
                history: 200_000,
                backlog: 1_000_000,
                settle: seconds(30),
                idle: seconds(60),
            }
        };
        Sizes { rounds: self.rounds.unwrap_or(sizes.rounds), ..sizes }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn matching_is_measured_by_a_word_of_its_own() {
        let cli = Cli::try_parse_from(["postrider-bench", "match", "--quick", "--json", "-"]);
        assert!(matches!(cli.unwrap().part, Some(Part::Match(Match { quick: true, .. }))));
    }

    #[test]
    fn names_of_measurements_come_as_a_list() {
        let cli =
            Cli::try_parse_from(["postrider-bench", "--only", "limit,drain", "--quick"]).unwrap();
        assert!(cli.run.wants(Section::Drain) && !cli.run.wants(Section::Idle));
        assert_eq!(cli.run.sizes().rounds, 2);
        let cli = Cli::try_parse_from(["postrider-bench", "--rounds", "3"]).unwrap();
        assert!(cli.run.wants(Section::Idle));
        assert_eq!(cli.run.sizes().rounds, 3);
    }
}
