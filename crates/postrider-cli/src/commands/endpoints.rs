//! `postrider endpoints`: where tenants want events sent.
//! `fields` reads what the options say about an endpoint, `add` and `change` write, `show` prints, `test` tries one out.

mod add;
mod change;
mod fields;
mod request;
mod secrets;
mod show;
mod test;

pub(crate) use fields::check_tenant;

use super::Ended;
use crate::config::Flags;
use crate::context::{Context, Database};

/// What to do with endpoints.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Add an endpoint; prints its signing secret, this once
    Add(add::Args),
    /// List endpoints, oldest first
    List(show::List),
    /// Show one endpoint
    Show(Id),
    /// Change what is given about an endpoint, and nothing else
    Update(change::Update),
    /// Delete an endpoint and cancel what it is owed
    Delete(Id),
    /// Send a real, signed test event to one endpoint alone, and print what came of it
    Test(test::Args),
    /// What its requests are signed with
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Let a disabled endpoint have events again; nothing old is sent
    Enable(Id),
    /// Keep events from an endpoint and cancel what it is owed
    Disable(Id),
    /// Keep what an endpoint is owed waiting; events go on being matched, nothing is lost
    Pause(change::Pause),
    /// Let a paused endpoint go on; what waited goes at once
    Resume(Id),
}

/// One endpoint.
#[derive(Debug, clap::Args)]
pub(crate) struct Id {
    /// The endpoint: whk_… or the beginning of it
    #[arg(value_name = "ENDPOINT")]
    pub id: String,
}

impl Command {
    /// The configuration that the options speak for.
    pub(crate) fn flags(&self, mut flags: Flags) -> Flags {
        flags.dev = match self {
            Self::Add(args) => args.fields.dev,
            Self::Update(args) => args.fields.dev,
            _ => false,
        };
        flags
    }
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::Add(args) => add::run(context, database, &args).await,
        Command::List(args) => show::list(context, database, &args).await,
        Command::Show(args) => show::show(context, database, &args.id).await,
        Command::Update(args) => change::update(context, database, &args).await,
        Command::Delete(args) => change::delete(context, database, &args.id).await,
        Command::Test(args) => test::run(context, database, &args).await,
        Command::Secrets(command) => secrets::run(context, database, command).await,
        Command::Enable(args) => change::enable(context, database, &args.id).await,
        Command::Disable(args) => change::disable(context, database, &args.id).await,
        Command::Pause(args) => change::pause(context, database, &args).await,
        Command::Resume(args) => change::resume(context, database, &args.id).await,
    }
}
