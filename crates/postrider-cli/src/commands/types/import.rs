//! `postrider types import` and `export`: the catalog as a file, `{"event_types": [{"name", "description", "example", "schema", "schema_check"}]}`.

use std::path::{Path, PathBuf};

use postrider_core::event_type::{Catalog, Change, Declaration};
use postrider_store::admin::event_types;
use serde_json::{Value, json};

use super::all_declared;
use super::set::refused;
use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::table;

/// Options of `types import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// A file as `types export` writes it; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

/// Options of `types export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Where to; none: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn import(context: &Context, database: &Database, args: &Import) -> Ended {
    let wanted = read(&args.file)?;
    let plan = event_types::plan(&database.db, &wanted).await?;
    let count = |of: Change| plan.iter().filter(|change| **change == of).count();
    let (added, changed) = (count(Change::Added), count(Change::Changed));
    if args.dry_run || added + changed == 0 {
        told(context, &wanted, &plan, true);
        return Ok(Exit::Done);
    }
    if !context.global.json && !context.global.yes {
        context.out.note(&rows(&wanted, &plan));
    }
    context.confirm(&format!("declare {added} and change {changed} event types"))?;
    let done = event_types::put(&database.db, &wanted).await?;
    told(context, &wanted, &done, false);
    Ok(Exit::Done)
}

pub(super) async fn export(context: &Context, database: &Database, args: &Export) -> Ended {
    let catalog = Catalog { event_types: all_declared(database).await? };
    let text = serde_json::to_string_pretty(&catalog)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    match &args.out {
        Some(path) => {
            write(path, &format!("{text}\n"))?;
            context.out.note(&format!(
                "{} types are in {}",
                catalog.event_types.len(),
                path.display()
            ));
        }
        None => context.out.line(&text),
    }
    Ok(Exit::Done)
}

/// Writes a whole file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Exit::Failed, format!("{} cannot be written", path.display()))
            .why(error.to_string())
    })
}

fn read(file: &Path) -> Result<Vec<Declaration>, Failure> {
    let file = file.display().to_string();
    let value = if file == "-" { file.clone() } else { format!("@{file}") };
    let text = input::text("file", "file.size", &value)?;
    let catalog: Catalog = serde_json::from_str(&text)
        .map_err(|error| Failure::new(Exit::Usage, format!("{file}: {error} (json)")))?;
    catalog.judge().map_err(|errors| refused(errors).doing(format!("{file} cannot be imported")))
}

fn told(context: &Context, wanted: &[Declaration], changes: &[Change], dry_run: bool) {
    let count = |of: Change| changes.iter().filter(|change| **change == of).count();
    let each = wanted.iter().zip(changes);
    let data: Vec<Value> = each
        .map(|(wanted, change)| json!({ "name": wanted.name(), "change": change.as_str() }))
        .collect();
    let (added, changed, unchanged) =
        (count(Change::Added), count(Change::Changed), count(Change::Unchanged));
    let document = json!({ "dry_run": dry_run, "added": added, "changed": changed, "unchanged": unchanged, "data": data });
    context.out.data(&document, || rows(wanted, changes));
    let verb = if dry_run { "would be " } else { "" };
    context.out.note(&format!("{verb}added {added}, changed {changed}, unchanged {unchanged}"));
}

fn rows(wanted: &[Declaration], changes: &[Change]) -> String {
    let each = wanted.iter().zip(changes);
    let rows = each.map(|(wanted, change)| {
        [change.as_str().to_owned(), wanted.name().to_owned(), wanted.check().as_str().to_owned()]
    });
    table(["CHANGE", "TYPE", "CHECK"], rows)
}
