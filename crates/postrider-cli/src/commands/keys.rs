//! `postrider keys`: the master keys that seal secrets, and the change from one to the next.
//! The keys themselves come from the configuration; this shows their ids, which give nothing away.

use std::collections::BTreeSet;

use indicatif::{ProgressBar, ProgressStyle};
use postrider_store::admin::sealed::{self, Progress, Sealed};
use serde_json::json;

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{pairs, table};

/// What to do with the master keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the configured keys, newest first, and what is sealed with each
    List,
    /// Seal everything again with the newest key, so that older ones can be taken away
    Rotate(Rotate),
}

/// Options of `rotate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    /// Only say what would be sealed again
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::List => list(context, database).await,
        Command::Rotate(args) => rotate(context, database, &args).await,
    }
}

async fn list(context: &Context, database: &Database) -> Ended {
    let configured: Vec<String> = context.keys()?.key_ids().collect();
    let counted = sealed::count(&database.db).await?;
    let used: BTreeSet<String> = counted.iter().map(|sealed| sealed.key_id.clone()).collect();
    let mut ids = configured.clone();
    ids.extend(used.into_iter().filter(|id| !configured.contains(id)));
    let state = |id: &String| match configured.iter().position(|other| other == id) {
        Some(0) => "seals",
        Some(_) => "opens",
        None => "missing",
    };
    let data: Vec<_> = ids
        .iter()
        .map(|id| json!({ "id": id, "state": state(id), "sealed": total(&counted, id) }))
        .collect();
    context.out.data(&json!({ "data": data }), || {
        let rows = ids
            .iter()
            .map(|id| [id.clone(), state(id).to_owned(), total(&counted, id).to_string()]);
        table(["KEY", "STATE", "SEALED VALUES"], rows)
    });
    Ok(Exit::Done)
}

async fn rotate(context: &Context, database: &Database, args: &Rotate) -> Ended {
    let keys = context.keys()?;
    let total = sealed::count(&database.db).await?.iter().map(|sealed| sealed.count).sum::<i64>();
    // Hidden where stderr is no terminal.
    let bar = match context.out.quiet || context.out.json {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(total.unsigned_abs()),
    };
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} sealed values")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let progress = sealed::rotate(&database.db, &keys, args.dry_run, |progress| {
        bar.set_position(progress.seen)
    })
    .await?;
    bar.finish_and_clear();
    context.out.data(&document(progress, args.dry_run), || text(progress, args.dry_run));
    if args.dry_run {
        context.out.note("nothing was changed (--dry-run)");
    }
    if progress.unopened > 0 {
        return Err(Failure::new(
            Exit::Failed,
            format!("{} sealed values cannot be opened", progress.unopened),
        )
        .why("the master key that they were sealed with is not configured, or they are damaged")
        .remedy("\"postrider keys list\" names the keys that are missing"));
    }
    Ok(Exit::Done)
}

fn total(counted: &[Sealed], id: &str) -> i64 {
    counted.iter().filter(|sealed| sealed.key_id == id).map(|sealed| sealed.count).sum()
}

fn document(progress: Progress, dry_run: bool) -> serde_json::Value {
    json!({
        "dry_run": dry_run, "seen": progress.seen, "resealed": progress.resealed,
        "passed_over": progress.passed_over, "unopened": progress.unopened,
    })
}

fn text(progress: Progress, dry_run: bool) -> String {
    pairs([
        ("sealed values", progress.seen.to_string()),
        (if dry_run { "to seal again" } else { "sealed again" }, progress.resealed.to_string()),
        ("changed meanwhile", progress.passed_over.to_string()),
        ("cannot be opened", progress.unopened.to_string()),
    ])
}
