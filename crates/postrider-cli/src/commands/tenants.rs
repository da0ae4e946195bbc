//! `postrider tenants`: what is set of single tenants; above all what they may do at once, all their endpoints together.
//! Reads and writes `tenants`; workers hear of a change and act on it with their next request.

use postrider_core::input::InputError;
use postrider_store::admin::endpoints::Change;
use postrider_store::admin::tenants::{self, TenantChange, TenantLimits};
use serde_json::{Value, json};

use super::Ended;
use super::endpoints::check_tenant;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{pairs, table, time};

/// What to do with tenants.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List tenants that ever published, had an endpoint or have settings
    List(List),
    /// Show what is set of a tenant
    Show(Tenant),
    /// Set what is given of a tenant, and nothing else
    Set(Settings),
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

/// Options of `tenants list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those after this tenant: the last one of the page before
    #[arg(long, value_name = "TENANT")]
    after: Option<String>,
}

/// Options of `tenants set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    limits: Set,
    /// Whether events about what people did with its e-mails go to analytics
    #[arg(long, value_name = "BOOL")]
    capture_engagement_events: Option<bool>,
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
    let command = match command {
        Command::List(args) => return list(context, database, &args).await,
        Command::Show(args) => return show_one(context, database, &args.tenant).await,
        Command::Set(args) => return set_all(context, database, &args).await,
        Command::Limits(command) => command,
    };
    match command {
        Limits::Set(args) => set(context, database, &args).await,
        Limits::Clear(args) => clear(context, database, &args.tenant).await,
        Limits::Show(args) => show(context, database, args.tenant.as_deref()).await,
    }
}

async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let mut found = tenants::list(&database.db, args.after.as_deref(), args.limit + 1).await?;
    let has_more = found.len() > usize::try_from(args.limit).unwrap_or(usize::MAX);
    if has_more {
        found.pop();
    }
    let next = found.last().filter(|_| has_more).map(|tenant| tenant.id.clone());
    let data: Vec<Value> = found.iter().map(tenant_document).collect();
    context.out.data(&json!({ "data": data, "has_more": has_more, "next_cursor": next }), || {
        table(
            ["TENANT", "IN FLIGHT", "A SECOND", "CAPTURES ENGAGEMENT"],
            found.iter().map(|tenant| {
                let captures = tenant.capture_engagement_events.to_string();
                [
                    tenant.id.clone(),
                    number(tenant.max_in_flight),
                    number(tenant.rate_limit),
                    captures,
                ]
            }),
        )
    });
    if let Some(next) = next {
        context.out.note(&format!("more with --after {next}"));
    }
    Ok(Exit::Done)
}

async fn show_one(context: &Context, database: &Database, tenant: &str) -> Ended {
    check_tenant(tenant)?;
    tell(context, &tenants::show(&database.db, tenant).await?);
    Ok(Exit::Done)
}

async fn set_all(context: &Context, database: &Database, args: &Settings) -> Ended {
    let tenant = &args.limits.whose.tenant;
    check_tenant(tenant)?;
    let wanted = TenantChange {
        max_in_flight: change("max_in_flight", args.limits.max_in_flight.as_deref(), 100_000)?,
        rate_limit: change("rate_limit", args.limits.rate_limit.as_deref(), 1_000_000)?,
        capture_engagement_events: args.capture_engagement_events,
    };
    if wanted.is_empty() {
        return Err(Failure::new(Exit::Usage, "there is nothing to set")
            .remedy("name --max-in-flight, --rate-limit or --capture-engagement-events"));
    }
    tell(context, &tenants::update(&database.db, tenant, wanted).await?);
    Ok(Exit::Done)
}

fn tell(context: &Context, tenant: &tenants::Tenant) {
    context.out.data(&tenant_document(tenant), || {
        pairs([
            ("tenant", tenant.id.clone()),
            ("in flight", number(tenant.max_in_flight)),
            ("a second", number(tenant.rate_limit)),
            ("captures engagement events", tenant.capture_engagement_events.to_string()),
            ("updated", tenant.updated_at.map_or("never".to_owned(), time)),
        ])
    });
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

fn number(limit: Option<i32>) -> String {
    limit.map_or("no limit".to_owned(), |n| n.to_string())
}

fn row(limits: &TenantLimits) -> [String; 4] {
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

fn tenant_document(tenant: &tenants::Tenant) -> Value {
    json!({
        "tenant": tenant.id, "max_in_flight": tenant.max_in_flight, "rate_limit": tenant.rate_limit,
        "workflows_config": { "capture_messaging_engagement_events": tenant.capture_engagement_events },
        "updated_at": tenant.updated_at,
    })
}
