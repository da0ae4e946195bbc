//! One file for each command. Each takes its context and its arguments, and returns how it ended.

pub(crate) mod api;
pub(crate) mod api_keys;
pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod deliveries;
pub(crate) mod demo;
pub(crate) mod egress;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod failed;
pub(crate) mod filters;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod prune;
mod publishing;
pub(crate) mod recover;
mod repair;
pub(crate) mod run;
pub(crate) mod sign;
pub(crate) mod sink;
pub(crate) mod status;
pub(crate) mod switch;
pub(crate) mod tenants;
pub(crate) mod trigger;
pub(crate) mod types;
pub(crate) mod verify;
mod version;

use crate::args::{Cli, Command, Global};
use crate::config::{Flags, Sources};
use crate::context::{Context, Database, Schema};
use crate::exit::{Exit, Failure};
use crate::{input, logging};

/// How a command ended: an exit code, or a failure with something to say.
pub(crate) type Ended = Result<Exit, Failure>;

/// Does what the command line says.
pub(crate) async fn run(cli: Cli, sources: Sources) -> Ended {
    let Cli { global, command } = cli;
    match command {
        Command::Version => version::run(&global, &sources),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Api(args) => Box::pin(api::run(&args, &global, &sources)).await,
        Command::Config(command) => config::run(&command, &global, &sources),
        Command::Sign(args) => sign::run(&args, &global, &sources),
        Command::Verify(args) => verify::run(&args, &global, &sources),
        Command::Sink(args) => Box::pin(sink::run(&args, &global, &sources)).await,
        Command::Listen(args) if args.is_remote() => {
            Box::pin(listen::remotely(&args, &global, &sources)).await
        }
        Command::Events(events::Command::Tail(args)) if args.is_remote() => {
            Box::pin(listen::tail_remotely(&args, &global, &sources)).await
        }
        Command::Run(args) => {
            let context =
                load(&global, sources, &args.flags(global.flags()), logging::Default::Info)?;
            Box::pin(run::run(&context, &args)).await
        }
        Command::Demo(args) => {
            let context =
                load(&global, sources, &args.flags(global.flags()), logging::Default::Warn)?;
            Box::pin(demo::run(context, &args)).await
        }
        Command::Migrate(command) => {
            let context = load(&global, sources, &global.flags(), logging::Default::Warn)?;
            Box::pin(migrate::run(&context, &command)).await
        }
        command => {
            let flags = match &command {
                Command::Endpoints(command) => command.flags(global.flags()),
                Command::Apply(args) => args.flags(global.flags()),
                _ => global.flags(),
            };
            let context = load(&global, sources, &flags, logging::Default::Warn)?;
            Box::pin(with_database(&context, command)).await
        }
    }
}

fn load(
    global: &Global,
    sources: Sources,
    flags: &Flags,
    default: logging::Default,
) -> Result<Context, Failure> {
    let context = Context::load(global, sources, flags)?;
    logging::init(&context.config, default, global.verbose)?;
    Ok(context)
}

/// Opens the database for a command, and closes it whatever came of the command, also when it is interrupted.
async fn with_database(context: &Context, command: Command) -> Ended {
    let database = context.open(Schema::Current).await?;
    let ended = tokio::select! {
        ended = at_database(context, &database, command) => ended,
        () = input::interruption() => Ok(Exit::Interrupted),
    };
    database.close(&context.out).await;
    ended
}

async fn at_database(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::Endpoints(command) => endpoints::run(context, database, *command).await,
        Command::Events(command) => events::run(context, database, command).await,
        Command::Deliveries(command) => deliveries::run(context, database, command).await,
        Command::Failed(command) => failed::run(context, database, command).await,
        Command::Egress(command) => egress::run(context, database, command).await,
        Command::Tenants(command) => tenants::run(context, database, command).await,
        Command::Switch(command) => switch::run(context, database, command).await,
        Command::Keys(command) => keys::run(context, database, command).await,
        Command::Listen(args) => listen::run(context, database, &args).await,
        Command::Prune(args) => prune::run(context, database, &args).await,
        Command::Recover(args) => recover::run(context, database, &args).await,
        Command::Jobs(command) => jobs::run(context, database, command).await,
        Command::Explain(args) => explain::run(context, database, &args).await,
        Command::Filters(command) => filters::run(context, database, command).await,
        Command::Apply(args) => apply::run(context, database, &args).await,
        Command::ApiKeys(command) => api_keys::run(context, database, command).await,
        Command::Audit(command) => audit::run(context, database, command).await,
        Command::Types(command) => types::run(context, database, command).await,
        Command::Trigger(args) => trigger::run(context, database, &args).await,
        Command::Status => status::run(context, database).await,
        _ => unreachable!("commands without a database were dispatched before"),
    }
}
