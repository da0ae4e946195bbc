//! `postrider events`: what was published. `publish` writes, the others read.

mod list;
mod publish;
mod show;
mod stats;
mod wait;

use super::{Ended, listen, repair};
use crate::context::{Context, Database};

/// What to do with events.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Publish one event, in a transaction of its own
    Publish(publish::Args),
    /// List events by what they are
    List(list::List),
    /// Whether there is such an event: ends with 0 or 3
    Exists(list::Exists),
    /// Count events and users
    Stats(stats::Stats),
    /// Show one event, its envelope and its deliveries
    Show(show::Show),
    /// Show events as they are committed
    Tail(listen::Tail),
    /// Wait until an event is delivered, or fanned out
    Wait(wait::Wait),
    /// Send an event once more
    Redeliver(repair::Redeliver),
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::Publish(args) => publish::run(context, database, &args).await,
        Command::List(args) => list::list(context, database, &args).await,
        Command::Exists(args) => list::exists(context, database, &args).await,
        Command::Stats(args) => stats::run(context, database, &args).await,
        Command::Show(args) => show::show(context, database, &args).await,
        Command::Tail(args) => listen::tail(context, database, &args).await,
        Command::Wait(args) => wait::run(context, database, &args).await,
        Command::Redeliver(args) => repair::redeliver(context, database, &args).await,
    }
}
