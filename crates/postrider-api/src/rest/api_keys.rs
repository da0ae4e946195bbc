//! `/api-keys`: who may ask, for admins.

use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Json, Response};
use http::StatusCode;
use postrider_core::api_key::{ApiKey, Scope};
use postrider_core::ids::ApiKeyId;
use postrider_core::input::check_tenant;
use postrider_store::admin::api_keys::{self, ApiKeyInfo, NewApiKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::caller::Caller;
use super::cursor::List;
use super::params::Params;
use super::problem::Problem;
use super::publish::parse;

const MAX_NAME: usize = 100;

/// A key to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    /// None, or null: an admin key.
    tenant_id: Option<String>,
    scopes: Option<Vec<String>>,
    /// In seconds.
    expires_in: Option<u32>,
}

pub(super) async fn list(caller: Caller, mut params: Params) -> Result<Json<Value>, Problem> {
    caller.need_admin()?;
    caller.need(Scope::Read)?;
    let (tenant, limit, cursor) =
        (params.text("tenant_id"), params.limit()?, params.text("cursor"));
    params.end()?;
    let list = List::of("api_keys", &json!([tenant]));
    let after = list.key::<ApiKeyId>(cursor.as_deref())?;
    let found = api_keys::list(&caller.db, tenant.as_deref(), after, limit).await?;
    let last = found.last().map(|key| key.id);
    Ok(Json(list.page(found.iter().map(document).collect(), last, limit)))
}

pub(super) async fn create(
    caller: Caller,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    caller.need_admin()?;
    caller.need(Scope::Write)?;
    params.end()?;
    let new: New = parse(&body)?;
    if !(1..=MAX_NAME).contains(&new.name.chars().count()) || new.name.contains('\0') {
        let detail = format!("must be 1 to {MAX_NAME} characters");
        return Err(Problem::field("/name", "name.length", &detail));
    }
    if let Some(tenant) = &new.tenant_id {
        check_tenant(tenant)?;
    }
    let scopes = match &new.scopes {
        None => Scope::ALL.to_vec(),
        Some(words) => words.iter().map(|word| word.parse()).collect::<Result<_, _>>()?,
    };
    let scopes = Scope::checked_list(scopes)?;
    let key = ApiKey::generate(&rand::random());
    let stored = NewApiKey {
        tenant: new.tenant_id.as_deref(),
        name: &new.name,
        scopes: &scopes,
        expires_in: new.expires_in.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let (id, created_at, expires_at) = api_keys::create(&caller.db, &key, &stored).await?;
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let answer = json!({
        "id": id, "tenant_id": new.tenant_id, "name": new.name, "scopes": words, "key": key.expose(), "created_at": created_at,
        "expires_at": expires_at,
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub(super) async fn revoke(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.need_admin()?;
    caller.need(Scope::Write)?;
    params.end()?;
    let missing = || Problem::not_found("api key", "there is no live key of this id");
    let id: ApiKeyId = id.parse().map_err(|_| missing())?;
    if !api_keys::revoke(&caller.db, id, None).await? {
        return Err(missing());
    }
    Ok(Json(json!({ "id": id, "revoked": true })))
}

/// A key as JSON; never the key itself.
fn document(key: &ApiKeyInfo) -> Value {
    json!({
        "id": key.id, "tenant_id": key.tenant, "name": key.name, "hint": key.hint, "scopes": key.scopes, "created_at": key.created_at,
        "expires_at": key.expires_at, "last_used_at": key.last_used_at, "revoked_at": key.revoked_at, "live": key.live,
    })
}
