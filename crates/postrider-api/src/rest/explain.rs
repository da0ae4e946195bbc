//! `/events/{id}/explain`: why an event went to an endpoint, or did not.

use axum::extract::Path;
use axum::response::Json;
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_store::admin::explain;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::caller::Caller;
use super::events::find;
use super::params::Params;
use super::problem::Problem;
use super::shapes::{AnyObject, DeliveryIdText, DeliveryStatusWord, EndpointIdText};

/// What an event is to each endpoint of its tenant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub(super) struct Explained {
    event_id: String,
    tenant_id: String,
    data: Vec<Verdict>,
}

/// What an event is to one endpoint.
#[derive(Debug, Serialize, JsonSchema)]
struct Verdict {
    #[schemars(with = "EndpointIdText")]
    endpoint_id: EndpointId,
    /// Null: it was deleted.
    url: Option<String>,
    #[schemars(with = "ReasonWord")]
    reason: explain::Reason,
    /// The reason in words.
    detail: String,
    deliveries: Vec<Sent>,
    /// What became of each clause of its types and filter, as they are now.
    #[schemars(with = "Option<Vec<AnyObject>>")]
    clauses: Option<Value>,
}

/// A delivery of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Sent {
    #[schemars(with = "DeliveryIdText")]
    id: DeliveryId,
    #[schemars(with = "DeliveryStatusWord")]
    status: String,
}

/// The words of [`explain::Reason`].
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "a schema, never a value")]
enum ReasonWord {
    Matched,
    Pending,
    Failed,
    Type,
    Filter,
    BrokenFilter,
    Disabled,
    CreatedLater,
    ChangedSince,
    OwnTrouble,
}

pub(super) async fn explain(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Explained>, Problem> {
    let key = find(&caller, &id, params).await?;
    let explained = explain::event(&caller.db, &key).await?;
    let data = explained.verdicts.into_iter().map(verdict).collect();
    Ok(Json(Explained { event_id: key.id, tenant_id: key.tenant, data }))
}

fn verdict(verdict: explain::Verdict) -> Verdict {
    let clauses = verdict.explanation.and_then(|it| serde_json::to_value(it.clauses).ok());
    Verdict {
        endpoint_id: verdict.endpoint,
        url: verdict.url,
        reason: verdict.reason,
        detail: verdict.detail,
        deliveries: verdict
            .deliveries
            .into_iter()
            .map(|(id, status)| Sent { id, status })
            .collect(),
        clauses,
    }
}
