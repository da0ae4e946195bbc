//! `/events/{id}/redeliver`: an event is sent once more.

use axum::extract::Path;
use axum::response::Json;
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_store::admin::repair::{self, Redelivered};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{Body, parse};
use super::caller::Caller;
use super::events::find;
use super::params::Params;
use super::problem::Problem;
use super::shapes::{DeliveryIdText, EndpointIdText};

/// What to send again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Redeliver {
    /// Only to this one; else to all that it was sent to.
    #[schemars(with = "Option<EndpointIdText>")]
    endpoint_id: Option<EndpointId>,
}

/// What was done, endpoint by endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Redeliveries {
    event_id: String,
    data: Vec<Redelivery>,
}

/// What came of sending it to one endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Redelivery {
    #[schemars(with = "EndpointIdText")]
    endpoint_id: EndpointId,
    #[schemars(with = "Option<DeliveryIdText>")]
    delivery_id: Option<DeliveryId>,
    redelivered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<u16>,
    /// Why not: still_owed or endpoint_disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    reason: Option<&'static str>,
}

impl Redelivery {
    pub(super) fn new(endpoint_id: EndpointId, done: Redelivered) -> Self {
        let not = |delivery_id, reason| Self {
            endpoint_id,
            delivery_id,
            redelivered: false,
            replay: None,
            reason: Some(reason),
        };
        match done {
            Redelivered::Owed { delivery, replay } => Self {
                endpoint_id,
                delivery_id: Some(delivery),
                redelivered: true,
                replay: Some(replay),
                reason: None,
            },
            Redelivered::StillOwed { delivery } => not(Some(delivery), "still_owed"),
            Redelivered::Refused => not(None, "endpoint_disabled"),
        }
    }
}

pub(super) async fn redeliver(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Json<Redeliveries>, Problem> {
    let wanted: Redeliver = if body.is_empty() { Redeliver::default() } else { parse(&body)? };
    let key = find(&caller, &id, params).await?;
    let endpoints = match wanted.endpoint_id {
        Some(endpoint) => {
            let of_tenant = super::endpoints::find(&caller, endpoint).await?;
            if of_tenant.tenant != key.tenant {
                return Err(Problem::not_found("endpoint", "there is no such endpoint"));
            }
            vec![endpoint]
        }
        None => repair::endpoints_of(&caller.db, &key).await?,
    };
    let done = repair::redeliver(&caller.db, &key, &endpoints).await?;
    let data =
        endpoints.into_iter().zip(done).map(|(id, done)| Redelivery::new(id, done)).collect();
    Ok(Json(Redeliveries { event_id: key.id, data }))
}
