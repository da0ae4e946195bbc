//! `postrider tenants`: what single tenants may do at once, all their endpoints together.
//! Reads and writes `tenants`; workers hear of a change and act on it with their next request.

use postrider_core::input::InputError;
use postrider_store::admin::endpoints::Change;
use postrider_store::admin::tenants::{self, TenantLimits};
use serde_json::{Value, json};

use super::Ended;
use super::endpoints::check_tenant;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{table, time};

/// What to do with tenants.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// What a tenant may do at once
    #[command(subcommand)]
    Limits(Limits),
}

/// What to do with tenants' limits.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Limits {
    /// Set a tenant's limits; what is not given stays
    Set(Set),
    /// Take a tenant's limits away
    Clear(Tenant),
    /// Show the limits of a tenant, or of all that have some
    Show(Show),
}

/// A tenant.
#[derive(Debug, clap::Args)]
pub(crate) struct Tenant {
    #[arg(value_name = "TENANT")]
    tenant: String,
}

/// Options of `tenants limits set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    whose: Tenant,
    /// Requests in flight to all its endpoints together, in the whole fleet; none: no limit
    #[arg(long, value_name = "N")]
    max_in_flight: Option<String>,
    /// Requests a second to all its endpoints together, from the whole fleet; none: no limit
    #[arg(long, value_name = "N")]
    rate_limit: Option<String>,
}

/// Options of `tenants limits show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// Only this tenant's
    #[arg(value_name = "TENANT")]
    tenant: Option<String>,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    let Command::Limits(command) = command;
    match command {
        Limits::Set(args) => set(context, database, &args).await,
        Limits::Clear(args) => clear(context, database, &args.tenant).await,
        Limits::Show(args) => show(context, database, args.tenant.as_deref()).await,
    }
}

async fn set(context: &Context, database: &Database, args: &Set) -> Ended {
    let tenant = &args.whose.tenant;
    check_tenant(tenant)?;
    let in_flight = change("max_in_flight", args.max_in_flight.as_deref(), 100_000)?;
    let rate = change("rate_limit", args.rate_limit.as_deref(), 1_000_000)?;
    if matches!((&in_flight, &rate), (Change::Keep, Change::Keep)) {
        return Err(Failure::new(Exit::Usage, "there is nothing to set")
            .remedy("name --max-in-flight or --rate-limit"));
    }
    let limits = tenants::set_limits(&database.db, tenant, in_flight, rate).await?;
    context.out.data(&document(&limits), || {
        let [_, in_flight, rate, _] = row(&limits);
        format!("tenant {tenant}: {in_flight} in flight, {rate} a second")
    });
    Ok(Exit::Done)
}

async fn clear(context: &Context, database: &Database, tenant: &str) -> Ended {
    check_tenant(tenant)?;
    let changed = !tenants::limits(&database.db, Some(tenant)).await?.is_empty();
    if changed {
        tenants::set_limits(&database.db, tenant, Change::Clear, Change::Clear).await?;
    }
    context.out.data(&json!({ "tenant": tenant, "changed": changed }), || match changed {
        true => format!("tenant {tenant} has no limits any more"),
        false => format!("tenant {tenant} had no limits"),
    });
    Ok(Exit::Done)
}

async fn show(context: &Context, database: &Database, tenant: Option<&str>) -> Ended {
    let found = tenants::limits(&database.db, tenant).await?;
    let documents: Vec<Value> = found.iter().map(document).collect();
    context.out.data(&json!({ "data": documents }), || {
        table(["TENANT", "IN FLIGHT", "A SECOND", "SINCE"], found.iter().map(row))
    });
    if found.is_empty() {
        let whom = tenant.map_or("no tenant has limits".to_owned(), |tenant| {
            format!("tenant {tenant} has no limits")
        });
        context.out.note(&whom);
    }
    Ok(Exit::Done)
}

/// A limit from 1 to `most`, or the word for none.
fn change(field: &'static str, text: Option<&str>, most: i32) -> Result<Change<i32>, Failure> {
    let code = if field == "rate_limit" { "rate_limit.range" } else { "max_in_flight.range" };
    match text {
        None => Ok(Change::Keep),
        Some("none") => Ok(Change::Clear),
        Some(text) => match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(Change::Set(number)),
            _ => Err(InputError::new(field, code, format!("must be 1 to {most}, or none")).into()),
        },
    }
}

fn row(limits: &TenantLimits) -> [String; 4] {
    let number = |limit: Option<i32>| limit.map_or("no limit".to_owned(), |n| n.to_string());
    [
        limits.tenant.clone(),
        number(limits.max_in_flight),
        number(limits.rate_limit),
        time(limits.updated_at),
    ]
}

fn document(limits: &TenantLimits) -> Value {
    json!({
        "tenant": limits.tenant, "max_in_flight": limits.max_in_flight, "rate_limit": limits.rate_limit,
        "updated_at": limits.updated_at,
    })
}
