//! `/endpoints/{id}/rotate-secret`: an endpoint is given another secret beside those it has.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use http::StatusCode;
use jiff::Timestamp;
use postrider_core::ids::EndpointId;
use postrider_core::signing::SigningSecret;
use postrider_store::admin::secrets::{self, Overlap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Api;
use super::body::{Body, parse};
use super::caller::Caller;
use super::endpoint_changes::not_sent_to;
use super::endpoint_parts::SecretBody;
use super::endpoints::{find, of_path};
use super::given::{given, object};
use super::params::Params;
use super::problem::Problem;
use super::shapes::EndpointIdText;

/// How long the secrets before a new one go on signing if nothing is said.
const USUAL_OVERLAP: u64 = 86_400;
const MOST_OVERLAP: u64 = 315_360_000;

/// A secret that was added just now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SecretRotated")]
pub(super) struct Rotated {
    #[schemars(with = "String")]
    id: Uuid,
    #[schemars(with = "EndpointIdText")]
    endpoint_id: EndpointId,
    #[schemars(with = "String")]
    kind: &'static str,
    created_at: Timestamp,
    /// Shown this once; null if the caller brought it, or nobody needs it.
    pub(super) secret: Option<String>,
    /// Of a key pair.
    public_key: Option<String>,
}

/// What a new secret is to be, and how long those before it stay.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rotation {
    #[schemars(with = "Option<SecretBody>")]
    #[serde(deserialize_with = "object")]
    secret: Option<SecretBody>,
    /// How long those before it go on signing, in seconds; null: for ever; a day if nothing is said.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>", range(max = 315_360_000))]
    overlap: Option<Option<u64>>,
}

pub(super) async fn rotate_secret(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    let wanted: Rotation = if body.is_empty() { Rotation::default() } else { parse(&body)? };
    let rotated = rotate(&api, &caller, of_path(&id)?, &wanted).await?;
    Ok((StatusCode::CREATED, Json(rotated)).into_response())
}

/// Gives an endpoint a new secret.
pub(super) async fn rotate(
    api: &Api,
    caller: &Caller,
    id: EndpointId,
    wanted: &Rotation,
) -> Result<Rotated, Problem> {
    let (secret, brought) = wanted.secret.as_ref().unwrap_or(&SecretBody::default()).secret()?;
    let overlap = match wanted.overlap {
        Some(None) => Overlap::Forever,
        Some(Some(seconds)) if seconds > MOST_OVERLAP => {
            return Err(Problem::field(
                "/overlap",
                "overlap.range",
                "must be at most ten years, or null",
            ));
        }
        Some(Some(seconds)) => Overlap::For(Duration::from_secs(seconds)),
        // A key pair comes beside the other secrets: what they sign, it cannot.
        None if !secret.is_symmetric() => Overlap::Forever,
        None => Overlap::For(Duration::from_secs(USUAL_OVERLAP)),
    };
    let endpoint = find(caller, id).await?;
    if endpoint.is_pull() {
        return Err(not_sent_to());
    }
    match secrets::rotate(&caller.db, api.keys(), endpoint.id, &secret, overlap).await? {
        secrets::Rotated::Added { id, created_at } => Ok(Rotated {
            id,
            endpoint_id: endpoint.id,
            kind: secret.kind().as_str(),
            created_at,
            secret: shown(&secret, brought),
            public_key: secret.public_key(),
        }),
        secrets::Rotated::Full => Err(Problem::conflict(
            "secret.count",
            "the endpoint has as many live secrets as it may have",
        )),
        secrets::Rotated::Lacking(_) => Err(Problem::field(
            "/secret/kind",
            "secret.kind",
            "requests would lack a signature without the secrets before it",
        )),
        secrets::Rotated::Gone => Err(super::endpoints::missing()),
    }
}

/// A secret that we made is shown this once; one that the caller brought is known to it, and nobody needs the private half of a key pair.
pub(super) fn shown(secret: &SigningSecret, brought: bool) -> Option<String> {
    (!brought && secret.is_symmetric()).then(|| secret.expose().as_str().to_owned())
}
