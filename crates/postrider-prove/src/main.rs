//! `cargo prove NAME`: shows by running it that an issue is done.
//!
//! A proof is a list of lines, each measured with real processes and real servers: the `postrider` binary from beside
//! this one, publishers and receivers as child processes of this program, a durable PostgreSQL cluster of its own. Every
//! line prints `PASS` or `FAIL`, its figure and its target, and the figures go to a JSON file. Nothing is printed that was
//! not measured in the run. Ends only processes that it started, by their ids.

mod child;
mod control_plane;
mod delivery;
mod kit;
mod main_job;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::kit::{Ground, Lines, Proof};

/// Proves, line by line, what an issue promised.
#[derive(Debug, Parser)]
#[command(name = "cargo prove", bin_name = "cargo prove", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main job, end to end: publish in a transaction, fan out, deliver signed, record
    MainJob(Options),
    /// The delivery engine: isolation, order, signatures, addresses, hostile receivers
    Delivery(Options),
    /// The control plane: the API, keys, tenants, the catalog, recovery, pull
    ControlPlane(Options),
    /// A publisher process of a proof
    #[command(hide = true)]
    Publisher(child::publisher::Options),
    /// A receiver process of a proof
    #[command(hide = true)]
    Sink(child::sink::Options),
    /// The network of its own in which the address guard is proved
    #[command(hide = true)]
    GuardLab(child::guard_lab::Options),
    /// A receiver of many endpoints, for the proof of isolation
    #[command(hide = true)]
    Crowd(child::crowd::Options),
    /// A process that offers a constant load, for the proof of isolation
    #[command(hide = true)]
    Steady(child::steady::Options),
    /// A process that publishes with gaps, for the proof of waking up
    #[command(hide = true)]
    Gaps(child::gaps::Options),
}

/// How a proof is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Smaller sizes, for the time while something is being built
    #[arg(long)]
    quick: bool,
    /// Only these lines
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Where the figures go; none: target/prove/NAME.json
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The postrider binary to prove; none: it is built, and taken from beside this program
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Keep the folder with logs, journals and databases, also when everything passed
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = tokio::select! {
        ended = obey(Cli::parse().command) => ended,
        // What is dropped here ends what it started: workers, servers, mounts.
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("prove: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::MainJob(options) => prove("main-job", main_job::LINES, options).await,
        Command::Delivery(options) => prove("delivery", delivery::LINES, options).await,
        Command::ControlPlane(options) => {
            prove("control-plane", control_plane::LINES, options).await
        }
        Command::Publisher(options) => child::publisher::run(options).await.map(|()| true),
        Command::Sink(options) => child::sink::run(options).await.map(|()| true),
        Command::GuardLab(options) => child::guard_lab::run(options).await.map(|()| true),
        Command::Crowd(options) => child::crowd::run(options).await.map(|()| true),
        Command::Steady(options) => child::steady::run(options).await.map(|()| true),
        Command::Gaps(options) => child::gaps::run(options).await.map(|()| true),
    }
}

/// Waits for SIGINT or SIGTERM.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Runs the lines of a proof one after another, and says whether all passed.
async fn prove(name: &'static str, proofs: &[Proof], options: Options) -> anyhow::Result<bool> {
    let chosen = kit::choose(proofs, &options.only)?;
    let searched = chosen.iter().any(|proof| proof.name == delivery::CANARY);
    let ground = Ground::prepare(options.binary.clone(), options.quick, searched).await?;
    let mut lines = Lines::new(name, options.quick);
    for proof in chosen {
        proof.run(&ground, &mut lines).await;
    }
    let file = options.json.unwrap_or_else(|| ground.target().join(format!("prove/{name}.json")));
    lines.write(&file)?;
    let passed = lines.all_passed();
    ground.leave(options.keep || !passed);
    Ok(passed)
}
