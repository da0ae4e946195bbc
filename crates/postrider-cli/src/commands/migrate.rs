//! `postrider migrate`: the schema, brought up to date here or printed for people with a migration tool of their own.

use postrider_store::migrations;
use serde_json::json;

use super::Ended;
use crate::context::{Context, Database, Schema, schema_failure};
use crate::exit::Exit;
use crate::output::table;

/// What to do with the schema.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Bring the database schema to this binary's version; waits for another process that does so
    Up,
    /// Say which migrations the database has; exit 3 if it is not up to date
    Status,
    /// Print all migrations as one SQL script, which fills the history too
    Print,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Ended {
    if let Command::Print = command {
        let script = migrations::print();
        context
            .out
            .data(&json!({ "version": migrations::wanted(), "sql": script }), || script.clone());
        return Ok(Exit::Done);
    }
    let database = context.open(Schema::Any).await?;
    let ended = match command {
        Command::Up => up(context, &database).await,
        Command::Status | Command::Print => status(context, &database).await,
    };
    database.close(&context.out).await;
    ended
}

async fn up(context: &Context, database: &Database) -> Ended {
    let mut client = database.connect.client().await?;
    if let Some(failure) =
        schema_failure(&migrations::state(&client).await?).filter(|failure| failure.why.is_some())
    {
        return Err(failure);
    }
    let applied = migrations::up(&mut client).await?;
    let version = migrations::wanted();
    context.out.data(&json!({ "applied": applied, "version": version }), || match applied.len() {
        0 => format!("the schema is up to date (version {version})"),
        _ => {
            let names: Vec<String> = applied.iter().map(|name| format!("applied {name}")).collect();
            format!("{}\nthe schema is now version {version}", names.join("\n"))
        }
    });
    Ok(Exit::Done)
}

async fn status(context: &Context, database: &Database) -> Ended {
    let client = database.connect.client().await?;
    let all = migrations::list(&client).await?;
    let failure = schema_failure(&migrations::state(&client).await?);
    let rows = all.iter().map(|migration| {
        let applied = migration.applied_on.clone().unwrap_or_else(|| "-".to_owned());
        [migration.version.to_string(), migration.name.clone(), applied]
    });
    let document: Vec<_> = all
        .iter()
        .map(|migration| json!({ "version": migration.version, "name": migration.name, "applied_on": migration.applied_on }))
        .collect();
    context.out.data(
        &json!({ "data": document, "current": failure.is_none(), "wanted": migrations::wanted() }),
        || table(["VERSION", "NAME", "APPLIED"], rows),
    );
    match failure {
        None => Ok(Exit::Done),
        Some(mut failure) => {
            failure.exit = Exit::Negative;
            Err(failure)
        }
    }
}
