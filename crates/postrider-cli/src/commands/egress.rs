//! `postrider egress`: what single tenants may reach beside what the configuration says, and what would become of a URL.
//! Reads and writes `webhook_egress_rules`; workers hear of a change and act on it with their next request.

use postrider_core::address::TenantRules;
use postrider_core::input::InputError;
use postrider_core::url::EndpointUrl;
use postrider_event::DEFAULT_TENANT;
use postrider_store::Db;
use postrider_store::admin::egress::{self, EgressRules};
use serde_json::{Value, json};

use super::Ended;
use super::endpoints::check_tenant;
use crate::config::Egress;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{pairs, table, time};

/// What to do with tenants' egress rules.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Set a tenant's rules, all of them: what is not given is none
    Set(Set),
    /// Take a tenant's rules away
    Clear(Tenant),
    /// List tenants' rules
    List(List),
    /// Judge a URL as it would be judged for a tenant; no request is made and no name is looked up
    Check(Check),
}

/// A tenant.
#[derive(Debug, clap::Args)]
pub(crate) struct Tenant {
    #[arg(value_name = "TENANT")]
    tenant: String,
}

/// Options of `egress set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    whose: Tenant,
    /// Networks that it may reach although they are not the public internet
    #[arg(long, value_name = "CIDRS", value_delimiter = ',')]
    allow_cidrs: Vec<String>,
    /// Networks that it may not reach
    #[arg(long, value_name = "CIDRS", value_delimiter = ',')]
    deny_cidrs: Vec<String>,
    /// The only ports it may use, in place of egress.ports
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    ports: Vec<i32>,
}

/// Options of `egress list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

/// Options of `egress check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The URL of an endpoint
    #[arg(value_name = "URL")]
    url: String,
    /// Whose endpoint it would be
    #[arg(long, value_name = "TENANT", default_value = DEFAULT_TENANT)]
    tenant: String,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::Set(args) => set(context, database, &args).await,
        Command::Clear(args) => clear(context, database, &args.tenant).await,
        Command::List(args) => list(context, database, args.tenant.as_deref()).await,
        Command::Check(args) => check(context, database, &args).await,
    }
}

/// The installation's rules with those of the tenant.
pub(crate) async fn for_tenant(
    db: &Db,
    installation: &Egress,
    tenant: &str,
) -> Result<Egress, Failure> {
    let mut rules = installation.clone();
    if let Some(stored) = egress::list(db, Some(tenant)).await?.into_iter().next() {
        let own = TenantRules::parse(&stored.allow_cidrs, &stored.deny_cidrs, &stored.ports)?;
        rules.addresses = rules.addresses.for_tenant(own);
    }
    Ok(rules)
}

async fn set(context: &Context, database: &Database, args: &Set) -> Ended {
    let tenant = &args.whose.tenant;
    check_tenant(tenant)?;
    let rules = TenantRules::parse(&args.allow_cidrs, &args.deny_cidrs, &args.ports)?;
    if rules.is_empty() {
        return Err(Failure::new(Exit::Usage, "there is nothing to set")
            .remedy("name --allow-cidrs, --deny-cidrs or --ports, or use \"egress clear\""));
    }
    egress::set(&database.db, tenant, &rules).await?;
    context.out.data(&json!({ "tenant": tenant, "set": true }), || {
        format!("set the egress rules of tenant {tenant}")
    });
    Ok(Exit::Done)
}

async fn clear(context: &Context, database: &Database, tenant: &str) -> Ended {
    check_tenant(tenant)?;
    let changed = egress::clear(&database.db, tenant).await?;
    context.out.data(&json!({ "tenant": tenant, "changed": changed }), || match changed {
        true => format!("tenant {tenant} has no egress rules of its own any more"),
        false => format!("tenant {tenant} had no egress rules of its own"),
    });
    Ok(Exit::Done)
}

async fn list(context: &Context, database: &Database, tenant: Option<&str>) -> Ended {
    let found = egress::list(&database.db, tenant).await?;
    let documents: Vec<Value> = found.iter().map(document).collect();
    context.out.data(&json!({ "data": documents }), || {
        let rows = found.iter().map(|rules| {
            let ports: Vec<String> = rules.ports.iter().map(i32::to_string).collect();
            [
                rules.tenant.clone(),
                rules.allow_cidrs.join(" "),
                rules.deny_cidrs.join(" "),
                ports.join(" "),
                time(rules.updated_at),
            ]
        });
        table(["TENANT", "ALLOWED", "DENIED", "PORTS", "SINCE"], rows)
    });
    if found.is_empty() {
        context.out.note("no tenant has egress rules of its own");
    }
    Ok(Exit::Done)
}

async fn check(context: &Context, database: &Database, args: &Check) -> Ended {
    check_tenant(&args.tenant)?;
    let rules = for_tenant(&database.db, &context.config.egress, &args.tenant).await?;
    let url = match EndpointUrl::parse(&args.url, rules.url_policy()) {
        Ok(url) => url,
        Err(refusal) => return Ok(refused(context, &args.tenant, &refusal)),
    };
    let document = json!({ "url": url.as_str(), "tenant": args.tenant, "accepted": true });
    context.out.data(&document, || {
        pairs([
            ("url", url.to_string()),
            ("tenant", args.tenant.clone()),
            ("accepted", "yes".to_owned()),
        ])
    });
    context.out.note("what a name resolves to is judged when a request connects");
    Ok(Exit::Done)
}

/// The verdict on a URL that is not accepted. It is not repeated: people put logins into URLs.
fn refused(context: &Context, tenant: &str, refusal: &InputError) -> Exit {
    let (code, reason) = (refusal.code, refusal.detail.as_str());
    let document = json!({ "tenant": tenant, "accepted": false, "code": code, "reason": reason });
    context.out.data(&document, || {
        pairs([
            ("tenant", tenant.to_owned()),
            ("accepted", "no".to_owned()),
            ("code", code.to_owned()),
            ("reason", reason.to_owned()),
        ])
    });
    Exit::Negative
}

fn document(rules: &EgressRules) -> Value {
    json!({
        "tenant": rules.tenant, "allow_cidrs": rules.allow_cidrs, "deny_cidrs": rules.deny_cidrs, "ports": rules.ports,
        "updated_at": rules.updated_at,
    })
}
