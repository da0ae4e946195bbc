//! `postrider apply`: makes tenants and endpoints what a file says they are. Prints the plan, asks, and does it; a second time there is
//! nothing to do.

mod differences;
mod manifest;
mod plan;
mod work;

use std::path::PathBuf;

use postrider_api::Egress;
use serde_json::{Value, json};

use self::manifest::Manifest;
use self::plan::{Plan, Step, plan};
use self::work::Made;
use super::Ended;
use crate::config::Flags;
use crate::context::{Context, Database};
use crate::exit::Exit;
use crate::input;
use crate::output::table;

/// Options of `apply`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What there is to be, as TOML or JSON; -: standard input
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Delete endpoints that have a name and are not in the file, of the tenants that are
    #[arg(long)]
    prune: bool,
    /// Only print the plan
    #[arg(long)]
    dry_run: bool,
    /// Permit plain http and addresses of this machine, for endpoints of a daemon with --dev
    #[arg(long)]
    dev: bool,
}

impl Args {
    /// The configuration that the options speak for.
    pub(crate) fn flags(&self, mut flags: Flags) -> Flags {
        flags.dev = self.dev;
        flags
    }
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let text = input::bytes(Some(&args.file))?;
    let environment = |name: &str| std::env::var(name).ok();
    let manifest = Manifest::read(&text, environment)?;
    let egress = Egress {
        allow_http: context.config.egress.allow_http,
        addresses: context.config.egress.addresses.clone(),
    };
    let keys = context.keys()?;
    let plan = plan(&database.db, &keys, &egress, manifest, args.prune).await?;
    let (changes, same) = (plan.changes(), plan.unchanged);
    let summary = format!(
        "{} to create, {} to change, {} to delete, {same} unchanged",
        changes.created, changes.changed, changes.deleted
    );
    if args.dry_run || plan.steps.is_empty() {
        show(context, &plan, args.dry_run);
        context.out.note(&summary);
        if args.dry_run {
            context.out.note("nothing was changed (--dry-run)");
        }
        return Ok(Exit::Done);
    }
    if !context.out.json {
        show(context, &plan, false);
    }
    context.confirm(&summary)?;
    let answer = context.out.json.then(|| steps(&plan));
    let mut made = Vec::new();
    let done = work::all(database, &keys, plan, &mut made).await;
    // Secrets are shown this once, also of what was made before something failed.
    if let Some(answer) = answer {
        context.out.data(&document(answer, same, false, &made), String::new);
    } else {
        secrets(context, &made);
    }
    done?;
    context.out.note(&format!("done: {summary}"));
    Ok(Exit::Done)
}

/// The plan.
fn show(context: &Context, plan: &Plan, dry_run: bool) {
    let answer = document(steps(plan), plan.unchanged, dry_run, &[]);
    context.out.data(&answer, || {
        let rows = plan.steps.iter().map(|step| {
            [
                step.action().to_owned(),
                step.kind().to_owned(),
                step.tenant().to_owned(),
                step.name().unwrap_or_default().to_owned(),
                step.fields().join(", "),
            ]
        });
        table(["ACTION", "KIND", "TENANT", "NAME", "WHAT"], rows)
    });
}

fn steps(plan: &Plan) -> Vec<Value> {
    plan.steps.iter().map(step_document).collect()
}

fn document(steps: Vec<Value>, unchanged: usize, dry_run: bool, made: &[Made]) -> Value {
    let created = made.iter().map(|made| {
        json!({ "tenant": made.tenant, "name": made.name, "id": made.id, "secret": made.secret, "public_key": made.public_key })
    });
    let created: Vec<Value> = created.collect();
    json!({ "dry_run": dry_run, "steps": steps, "unchanged": unchanged, "created": created })
}

/// Secrets that were made, this once.
fn secrets(context: &Context, made: &[Made]) {
    let shown = made.iter().filter_map(|made| {
        let shown = made.secret.as_ref().or(made.public_key.as_ref())?;
        Some([made.tenant.clone(), made.name.clone(), made.id.to_string(), shown.clone()])
    });
    let text = table(["TENANT", "NAME", "ID", "SECRET"], shown);
    if !text.is_empty() {
        context.out.line(&format!("\n{text}"));
        context
            .out
            .note("\nSecrets are shown this once. The receivers verify signatures with them.");
    }
}

fn step_document(step: &Step) -> Value {
    json!({
        "action": step.action(), "kind": step.kind(), "tenant": step.tenant(), "name": step.name(), "id": step.id(),
        "fields": step.fields(),
    })
}
