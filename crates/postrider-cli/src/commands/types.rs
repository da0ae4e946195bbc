//! `postrider types`: the catalog of event types. Files are read and written in `import.rs` and `gen.rs`.

mod generate;
mod import;
mod set;

use postrider_core::event_type::Named;
use postrider_event::EventType;
use postrider_store::admin::event_types::{self, EventTypeInfo};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{pairs, safe, table, time};

/// What to do with event types.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List event types by name
    List(List),
    /// Show an event type with its schema and example
    Show(Name),
    /// Declare an event type, or say something else of it
    Set(Box<set::Set>),
    /// Remove an event type from the catalog
    Delete(Name),
    /// Declare many event types from a file
    Import(import::Import),
    /// Write the catalog as a file that can be imported
    Export(import::Export),
    /// Write types of the payloads, and constants of the names, for a programming language
    Gen(generate::Gen),
    /// Whether publishing takes declared types only
    Strict(Strict),
}

/// Options of `types list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only those that somebody declared
    #[arg(long, conflicts_with = "undeclared")]
    declared: bool,
    /// Only those that were published and nobody declared
    #[arg(long)]
    undeclared: bool,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those after this one: the last of the page before
    #[arg(long, value_name = "TYPE")]
    after: Option<String>,
}

/// An event type.
#[derive(Debug, clap::Args)]
pub(crate) struct Name {
    #[arg(value_name = "TYPE")]
    name: String,
}

/// Options of `types strict`.
#[derive(Debug, clap::Args)]
pub(crate) struct Strict {
    /// None: only say how it is
    #[arg(value_name = "on|off", value_parser = ["on", "off"])]
    state: Option<String>,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::List(args) => list(context, database, &args).await,
        Command::Show(args) => show(context, database, &args.name).await,
        Command::Set(args) => set::set(context, database, &args).await,
        Command::Delete(args) => delete(context, database, &args.name).await,
        Command::Import(args) => import::import(context, database, &args).await,
        Command::Export(args) => import::export(context, database, &args).await,
        Command::Gen(args) => generate::generate(context, database, &args).await,
        Command::Strict(args) => strict(context, database, args.state.as_deref()).await,
    }
}

async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let declared = (args.declared || args.undeclared).then_some(args.declared);
    let types =
        event_types::list(&database.db, declared, args.after.as_deref(), args.limit).await?;
    let full = i64::try_from(types.len()).is_ok_and(|rows| rows == args.limit);
    let next = types.last().filter(|_| full).map(|info| info.name.clone());
    let data: Vec<Value> = types.iter().map(summary).collect();
    let document = json!({ "data": data, "has_more": next.is_some(), "next_cursor": next });
    context.out.data(&document, || {
        let yes = |there: bool| if there { "yes" } else { "-" }.to_owned();
        let rows = types.iter().map(|info| {
            [
                info.name.clone(),
                yes(info.declared),
                yes(info.schema.is_some()),
                info.check.clone(),
                yes(info.example.is_some()),
                safe(info.description.as_deref().unwrap_or_default(), 60),
            ]
        });
        table(["TYPE", "DECLARED", "SCHEMA", "CHECK", "EXAMPLE", "DESCRIPTION"], rows)
    });
    if let Some(next) = next {
        context.out.note(&format!("more with --after {next}"));
    }
    Ok(Exit::Done)
}

async fn show(context: &Context, database: &Database, name: &str) -> Ended {
    let info = find(database, name).await?;
    context.out.data(&document(&info), || {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let declared = if info.declared { "yes" } else { "no: it was published and met" };
        pairs([
            ("type", info.name.clone()),
            ("description", text(&info.description)),
            ("declared", declared.to_owned()),
            ("check", info.check.clone()),
            ("version", info.version.to_string()),
            ("updated", time(info.updated_at)),
            ("example", text(&info.example)),
            ("schema", text(&info.schema)),
        ])
    });
    Ok(Exit::Done)
}

async fn delete(context: &Context, database: &Database, name: &str) -> Ended {
    let info = find(database, name).await?;
    context.confirm(&format!("remove {} from the catalog", info.name))?;
    let removed = event_types::remove(&database.db, &info.name).await?;
    context.out.data(&json!({ "name": info.name, "deleted": removed }), || {
        format!("{} is not in the catalog any more", info.name)
    });
    Ok(Exit::Done)
}

async fn strict(context: &Context, database: &Database, state: Option<&str>) -> Ended {
    let changed = match state {
        Some(state) => event_types::set_strict(&database.db, state == "on").await?,
        None => false,
    };
    let strict = event_types::is_strict(&database.db).await?;
    context.out.data(&json!({ "strict": strict, "changed": changed }), || {
        match strict {
            true => "on: publishing refuses event types that are not declared",
            false => "off: any event type can be published, and is listed when it is met",
        }
        .to_owned()
    });
    if strict && changed {
        let undeclared = event_types::list(&database.db, Some(false), None, 1).await?;
        if !undeclared.is_empty() {
            context.out.warn("types were published that are not declared; they are refused now: postrider types list --undeclared");
        }
    }
    Ok(Exit::Done)
}

/// The type of this name.
pub(super) async fn find(database: &Database, name: &str) -> Result<EventTypeInfo, Failure> {
    EventType::parse(name).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    event_types::find(&database.db, name).await?.ok_or_else(|| {
        Failure::new(Exit::Missing, format!("there is no event type {name}"))
            .remedy("postrider types list")
    })
}

/// All declared types, by name.
async fn all_declared(database: &Database) -> Result<Vec<Named>, Failure> {
    const PAGE: i64 = 500;
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = event_types::list(&database.db, Some(true), after.as_deref(), PAGE).await?;
        let full = i64::try_from(page.len()).is_ok_and(|rows| rows == PAGE);
        after = page.last().map(|info| info.name.clone());
        all.extend(page.into_iter().map(named));
        if !full {
            return Ok(all);
        }
    }
}

/// A type as files have it.
fn named(info: EventTypeInfo) -> Named {
    // What the database stores is JSON.
    let raw = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
    Named {
        name: info.name,
        description: info.description,
        example: raw(info.example),
        schema: raw(info.schema),
        schema_check: Some(info.check).filter(|check| check != "off"),
    }
}

fn summary(info: &EventTypeInfo) -> Value {
    json!({
        "name": info.name, "description": info.description, "schema_check": info.check, "declared": info.declared,
        "has_schema": info.schema.is_some(), "has_example": info.example.is_some(), "version": info.version,
        "created_at": info.created_at, "updated_at": info.updated_at,
    })
}

pub(super) fn document(info: &EventTypeInfo) -> Value {
    let value = |text: &Option<String>| {
        text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    let mut document = summary(info);
    document["example"] = value(&info.example).into();
    document["schema"] = value(&info.schema).into();
    document
}
