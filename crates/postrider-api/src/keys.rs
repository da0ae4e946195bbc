//! The published keys of an endpoint: what its receiver verifies `v1a` signatures with. Public halves only; nothing is unsealed.

use std::time::Duration;

use http::StatusCode;
use postrider_core::ids::EndpointId;
use postrider_store::Db;
use postrider_store::admin::secrets::{PublicKey, public_keys};
use serde_json::{Value, json};
use tokio::time::timeout;

/// What stands before the endpoint's id.
pub(crate) const PREFIX: &str = "/.well-known/postrider/keys/";

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The answer for the endpoint of this id: a status, and a JSON document or what is wrong.
pub(crate) async fn answer(db: Option<&Db>, id: &str) -> (StatusCode, Value) {
    let Ok(id) = id.parse::<EndpointId>() else {
        return (
            StatusCode::NOT_FOUND,
            json!({ "error": "no endpoint's id: whk_ and 32 hex digits" }),
        );
    };
    let unavailable =
        (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": "the database cannot be asked" }));
    let Some(db) = db else { return unavailable };
    match timeout(PATIENCE, public_keys(db, id)).await {
        // The same for an endpoint that is none and for one without a key pair: who asks learns nothing else.
        Ok(Ok(keys)) if keys.is_empty() => {
            (StatusCode::NOT_FOUND, json!({ "error": "there are no keys for this endpoint" }))
        }
        Ok(Ok(keys)) => {
            let keys: Vec<Value> = keys.iter().map(document).collect();
            (StatusCode::OK, json!({ "endpoint": id, "keys": keys }))
        }
        Ok(Err(_)) | Err(_) => unavailable,
    }
}

fn document(key: &PublicKey) -> Value {
    json!({
        "scheme": "v1a", "algorithm": "ed25519", "public_key": key.text,
        "created_at": key.created_at, "expires_at": key.expires_at,
    })
}
