//! `/tenants`: what is set of tenants. A tenant sees its own and changes what is its own business; what it may do at once is an admin's to say.

use axum::extract::Path;
use axum::response::Json;
use http::Method;
use jiff::Timestamp;
use postrider_core::api_key::Scope;
use postrider_core::input::check_tenant;
use postrider_store::admin::endpoints::Change;
use postrider_store::admin::tenants::{self, TenantChange};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::body::{Body, parse};
use super::caller::Caller;
use super::cursor::List;
use super::given::given;
use super::operation::Operation;
use super::params::Params;
use super::problem::Problem;
use super::shapes::Page;

const MOST_IN_FLIGHT: i32 = 100_000;
const MOST_RATE: i32 = 1_000_000;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/tenants"),
            "list_tenants",
            "Tenants that ever published, had an endpoint or have settings, by their names",
            list,
        )
        .for_admins()
        .paged()
        .gives::<Page<Tenant>>(200, "One page"),
        Operation::new(
            (Method::GET, "/tenants/{tenant_id}"),
            "show_tenant",
            "What is set of a tenant",
            show,
        )
        .gives::<Tenant>(200, "The tenant"),
        Operation::new(
            (Method::PATCH, "/tenants/{tenant_id}"),
            "update_tenant",
            "Changes what is named of a tenant; its limits are for admins to say",
            update,
        )
        .needs(Scope::Write)
        .takes::<TenantChanges>()
        .gives::<Tenant>(200, "The tenant as it is now"),
    ]
}

/// A tenant. It is there by its name, whether anything was ever set of it or not.
#[derive(Debug, Serialize, JsonSchema)]
struct Tenant {
    id: String,
    /// Requests in flight to all its endpoints together; null: no limit.
    max_in_flight: Option<i32>,
    /// Requests a second to all its endpoints together; null: no limit.
    rate_limit: Option<i32>,
    workflows_config: WorkflowsConfig,
    /// Null: nothing was ever set.
    updated_at: Option<Timestamp>,
}

/// What becomes of what people do with the tenant's e-mails.
#[derive(Debug, Serialize, JsonSchema)]
struct WorkflowsConfig {
    /// Whether such events go to analytics.
    capture_messaging_engagement_events: bool,
}

/// What is to change of a tenant. What is left out stays.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TenantChanges {
    /// Null: no limit. For admins.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<i64>", range(min = 1, max = 100_000))]
    max_in_flight: Option<Option<i64>>,
    /// Null: no limit. For admins.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<i64>", range(min = 1, max = 1_000_000))]
    rate_limit: Option<Option<i64>>,
    #[serde(deserialize_with = "there")]
    #[schemars(with = "WorkflowsChanges")]
    workflows_config: Option<WorkflowsChanges>,
}

/// The same of its e-mails. What is not known here is ignored: others keep settings of theirs in the same place.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WorkflowsChanges {
    #[serde(deserialize_with = "there")]
    #[schemars(with = "bool")]
    capture_messaging_engagement_events: Option<bool>,
}

/// What may be left out, and is never null.
fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<Tenant>>, Problem> {
    let (limit, cursor) = (params.limit()?, params.text("cursor"));
    params.end()?;
    let list = List::of("tenants", &json!([]));
    let after = list.key::<String>(cursor.as_deref())?;
    // Whoever makes a cursor up can put anything into it.
    after.as_deref().map_or(Ok(()), check_tenant)?;
    let found = tenants::list(&caller.db, after.as_deref(), limit).await?;
    let last = found.last().map(|tenant| tenant.id.clone());
    Ok(Json(list.page(found.into_iter().map(document).collect(), last, limit)))
}

async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Tenant>, Problem> {
    params.end()?;
    Ok(Json(document(tenants::show(&caller.db, of_path(&caller, &id)?).await?)))
}

async fn update(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Json<Tenant>, Problem> {
    params.end()?;
    let id = of_path(&caller, &id)?;
    // A list in the order of its fields would be read as the structure, too.
    let whole: Value = parse(&body)?;
    if whole["workflows_config"].is_array() {
        return Err(Problem::field("/workflows_config", "type", "must be an object"));
    }
    let body: TenantChanges = parse(&body)?;
    let workflows = body.workflows_config.unwrap_or_default();
    let change = TenantChange {
        max_in_flight: limit(body.max_in_flight, "max_in_flight", MOST_IN_FLIGHT)?,
        rate_limit: limit(body.rate_limit, "rate_limit", MOST_RATE)?,
        capture_engagement_events: workflows.capture_messaging_engagement_events,
    };
    if change.has_limits() && caller.tenant.is_some() {
        return Err(Problem::forbidden("a tenant's limits are for an admin key to change"));
    }
    let tenant = match change.is_empty() {
        true => tenants::show(&caller.db, id).await?,
        false => tenants::update(&caller.db, id, change).await?,
    };
    Ok(Json(document(tenant)))
}

/// A tenant's key finds its own and no other.
fn of_path<'a>(caller: &'a Caller, id: &'a str) -> Result<&'a str, Problem> {
    check_tenant(id).map_err(|_| Problem::not_found("tenant", "there is no such tenant"))?;
    caller.tenant_of(Some(id)).map(|tenant| tenant.unwrap_or(id))
}

/// Codes: `max_in_flight.range`, `rate_limit.range`.
fn limit(
    wanted: Option<Option<i64>>,
    field: &'static str,
    most: i32,
) -> Result<Change<i32>, Problem> {
    let code = if field == "rate_limit" { "rate_limit.range" } else { "max_in_flight.range" };
    match wanted {
        None => Ok(Change::Keep),
        Some(None) => Ok(Change::Clear),
        Some(Some(number)) => match i32::try_from(number) {
            Ok(number) if (1..=most).contains(&number) => Ok(Change::Set(number)),
            _ => {
                let detail = format!("must be 1 to {most}, or null");
                Err(Problem::field(format!("/{field}"), code, &detail))
            }
        },
    }
}

fn document(tenant: tenants::Tenant) -> Tenant {
    Tenant {
        id: tenant.id,
        max_in_flight: tenant.max_in_flight,
        rate_limit: tenant.rate_limit,
        workflows_config: WorkflowsConfig {
            capture_messaging_engagement_events: tenant.capture_engagement_events,
        },
        updated_at: tenant.updated_at,
    }
}
