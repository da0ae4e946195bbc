//! Does what was planned, step by step. What was done before a failure stays; the next time there is less to do.

use std::time::Instant;

use postrider_core::ids::EndpointId;
use postrider_core::seal::KeyRing;
use postrider_core::signing::{SecretKind, SigningSecret};
use postrider_store::admin::endpoints::{self, Change, NewEndpoint};
use postrider_store::admin::tenants;
use postrider_store::workers;
use serde_json::json;

use super::plan::{Named, Plan, Step};
use crate::context::Database;
use crate::exit::{Exit, Failure};

/// An endpoint that was added.
pub(super) struct Made {
    pub(super) tenant: String,
    pub(super) name: String,
    pub(super) id: EndpointId,
    /// One that we made.
    pub(super) secret: Option<String>,
    pub(super) public_key: Option<String>,
}

pub(super) async fn all(
    database: &Database,
    keys: &KeyRing,
    plan: Plan,
    made: &mut Vec<Made>,
) -> Result<(), Failure> {
    let mut settles = None;
    for step in plan.steps {
        match step {
            Step::Tenant { tenant, change, .. } => {
                tenants::update(&database.db, &tenant, change).await?;
            }
            Step::Create { tenant, name, given } => {
                made.push(create(database, keys, tenant, name, *given).await?);
            }
            Step::Change { of, change, enabled, .. } => {
                let db = &database.db;
                if !change.is_empty() && !endpoints::update(db, Some(keys), of.id, *change).await? {
                    return Err(meanwhile(&of));
                }
                match enabled {
                    None => {}
                    Some(true) => drop(endpoints::set_enabled(db, of.id, true, "").await?),
                    Some(false) => {
                        endpoints::set_enabled(db, of.id, false, endpoints::BY_HAND).await?;
                        endpoints::cancel_deliveries(db, of.id, endpoints::ENDPOINT_DISABLED)
                            .await?;
                        settles = Some(Instant::now());
                    }
                }
            }
            Step::Delete { of } => {
                endpoints::delete(&database.db, of.id).await?;
                endpoints::cancel_deliveries(&database.db, of.id, endpoints::ENDPOINT_DELETED)
                    .await?;
                settles = Some(Instant::now());
            }
        }
    }
    // Nothing starts any more by what was disabled or deleted, once this has ended.
    if let Some(since) = settles
        && workers::delivering(&database.db).await? > 0
    {
        tokio::time::sleep(endpoints::CHANGE_SETTLES.saturating_sub(since.elapsed())).await;
    }
    Ok(())
}

async fn create(
    database: &Database,
    keys: &KeyRing,
    tenant: String,
    name: String,
    given: postrider_api::Given,
) -> Result<Made, Failure> {
    let change = given.change;
    let (secret, brought) = given
        .secret
        .unwrap_or_else(|| (SigningSecret::generate(SecretKind::Standard, &rand::random()), false));
    let types = change.event_types.unwrap_or_else(|| vec!["*".to_owned()]);
    let (filter, schedule) = (set(change.filter), set(change.retry_schedule_ms));
    let id = endpoints::new_id();
    let new = NewEndpoint {
        id,
        tenant: &tenant,
        url: change.url.as_deref().unwrap_or_default(),
        description: change.description.as_deref().unwrap_or_default(),
        event_types: &types,
        filter: filter.as_ref(),
        headers: &set(change.headers).unwrap_or_default(),
        retry_schedule_ms: schedule.as_deref(),
        timeout_ms: set(change.timeout_ms),
        max_in_flight: set(change.max_in_flight),
        rate_limit: set(change.rate_limit),
        capture_responses: change.capture_responses.unwrap_or(false),
        enabled: given.enabled.unwrap_or(true),
        metadata: &change.metadata.unwrap_or_else(|| json!({ "name": name })),
        secret: &secret,
        settings: change.settings,
        order: change.order,
        batch: set(change.batch),
    };
    endpoints::create(&database.db, keys, &new).await?;
    let shown = !brought && secret.is_symmetric();
    let secret_text = shown.then(|| secret.expose().to_string());
    Ok(Made { tenant, name, id, secret: secret_text, public_key: secret.public_key() })
}

fn set<T>(change: Change<T>) -> Option<T> {
    match change {
        Change::Set(value) => Some(value),
        Change::Keep | Change::Clear => None,
    }
}

fn meanwhile(of: &Named) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("endpoint {} of tenant {} is not as it was", of.name, of.tenant),
    )
    .why("somebody changed or deleted it just now")
    .remedy("apply the file again")
}
