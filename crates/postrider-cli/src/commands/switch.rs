//! `postrider switch`: closes and opens publishing. What was published before goes on draining either way.

use postrider_event::EventType;
use postrider_store::admin::switches::{self, Scope};
use serde_json::json;

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{table, time};

/// What to do with the kill switch.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Open publishing again
    On(What),
    /// Close publishing: callers get `disabled`, nothing is written, their transactions commit
    Off(Off),
    /// List what is closed
    List,
}

/// What the switch is for; nothing: for the whole installation.
#[derive(Debug, clap::Args)]
pub(crate) struct What {
    /// Only this tenant's events
    #[arg(long, value_name = "TENANT", conflicts_with = "type")]
    tenant: Option<String>,
    /// Only events of this type
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
}

/// Options of `switch off`.
#[derive(Debug, clap::Args)]
pub(crate) struct Off {
    #[command(flatten)]
    what: What,
    /// Why, for whoever finds it closed
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::On(what) => {
            let scope = scope(what)?;
            let changed = switches::open(&database.db, &scope).await?;
            report(context, &scope, "on", changed);
        }
        Command::Off(Off { what, reason }) => {
            let scope = scope(what)?;
            let changed = switches::close(&database.db, &scope, reason.as_deref()).await?;
            report(context, &scope, "off", changed);
        }
        Command::List => list(context, database).await?,
    }
    Ok(Exit::Done)
}

fn scope(what: What) -> Result<Scope, Failure> {
    match (what.tenant, what.r#type) {
        (Some(tenant), _) => {
            super::endpoints::check_tenant(&tenant)?;
            Ok(Scope::Tenant(tenant))
        }
        (None, Some(name)) => match EventType::parse(name.clone()) {
            Ok(_) => Ok(Scope::Type(name)),
            Err(error) => Err(Failure::new(Exit::Usage, error.to_string())),
        },
        (None, None) => Ok(Scope::Installation),
    }
}

fn report(context: &Context, scope: &Scope, position: &str, changed: bool) {
    let (kind, name) = match scope {
        Scope::Installation => ("installation", ""),
        Scope::Tenant(name) => ("tenant", name.as_str()),
        Scope::Type(name) => ("type", name.as_str()),
    };
    let document = json!({ "scope": kind, "name": name, "position": position, "changed": changed });
    context.out.data(&document, || {
        let what = if name.is_empty() {
            "publishing".to_owned()
        } else {
            format!("publishing for {kind} {name}")
        };
        if changed {
            format!("{what} is now {position}")
        } else {
            format!("{what} was {position} already")
        }
    });
}

async fn list(context: &Context, database: &Database) -> Result<(), Failure> {
    let closed = switches::list(&database.db).await?;
    let document: Vec<_> = closed
        .iter()
        .map(|switch| json!({ "scope": switch.scope, "name": switch.name, "reason": switch.reason, "closed_at": switch.closed_at }))
        .collect();
    context.out.data(&json!({ "data": document }), || {
        let rows = closed.iter().map(|switch| {
            [
                switch.scope.clone(),
                switch.name.clone(),
                time(switch.closed_at),
                switch.reason.clone().unwrap_or_default(),
            ]
        });
        table(["CLOSED", "NAME", "SINCE", "REASON"], rows)
    });
    if closed.is_empty() {
        context.out.note("publishing is on for everybody");
    }
    Ok(())
}
