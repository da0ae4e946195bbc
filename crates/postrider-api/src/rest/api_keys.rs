//! `/api-keys`: who may ask, for admins.

use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Json, Response};
use http::{Method, StatusCode};
use jiff::Timestamp;
use postrider_core::api_key::{ApiKey, Scope};
use postrider_core::ids::ApiKeyId;
use postrider_core::input::check_tenant;
use postrider_store::admin::api_keys::{self, ApiKeyInfo, NewApiKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::body::{Body, parse};
use super::caller::Caller;
use super::cursor::List;
use super::operation::{Operation, tenant_param};
use super::params::Params;
use super::problem::Problem;
use super::shapes::{ApiKeyIdText, Page, ScopeWord, TenantText};

const MAX_NAME: usize = 100;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/api-keys"),
            "list_api_keys",
            "Keys, never the keys themselves",
            list,
        )
        .for_admins()
        .params([tenant_param()])
        .paged()
        .gives::<Page<Key>>(200, "One page"),
        Operation::new(
            (Method::POST, "/api-keys"),
            "create_api_key",
            "Makes a key, which is shown this once",
            create,
        )
        .needs(Scope::Write)
        .for_admins()
        .takes::<NewKey>()
        .gives::<Created>(201, "The key"),
        Operation::new(
            (Method::DELETE, "/api-keys/{key_id}"),
            "revoke_api_key",
            "Ends a key at once",
            revoke,
        )
        .needs(Scope::Write)
        .for_admins()
        .gives::<Revoked>(200, "It lets nobody in any more"),
    ]
}

/// A key to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewApiKey")]
struct NewKey {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// None, or null: an admin key.
    #[schemars(with = "Option<TenantText>")]
    tenant_id: Option<String>,
    /// All of them if nothing is said.
    #[schemars(with = "Option<Vec<ScopeWord>>", length(min = 1))]
    scopes: Option<Vec<String>>,
    /// In seconds.
    #[schemars(range(min = 1))]
    expires_in: Option<u32>,
}

/// A key; never the key itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
struct Key {
    #[schemars(with = "ApiKeyIdText")]
    id: ApiKeyId,
    /// Null: an admin's.
    tenant_id: Option<String>,
    name: String,
    /// Its last four characters.
    hint: String,
    #[schemars(with = "Vec<ScopeWord>")]
    scopes: Vec<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// To the minute.
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    live: bool,
}

/// A key that was made just now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKeyCreated")]
struct Created {
    #[schemars(with = "ApiKeyIdText")]
    id: ApiKeyId,
    tenant_id: Option<String>,
    name: String,
    #[schemars(with = "Vec<ScopeWord>")]
    scopes: Vec<&'static str>,
    /// The key itself, shown this once.
    key: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// A key that was ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKeyRevoked")]
struct Revoked {
    #[schemars(with = "ApiKeyIdText")]
    id: ApiKeyId,
    revoked: bool,
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<Key>>, Problem> {
    let (tenant, limit, cursor) = (params.tenant()?, params.limit()?, params.text("cursor"));
    params.end()?;
    let list = List::of("api_keys", &json!([tenant]));
    let after = list.key::<ApiKeyId>(cursor.as_deref())?;
    let found = api_keys::list(&caller.db, tenant.as_deref(), after, limit).await?;
    let last = found.last().map(|key| key.id);
    Ok(Json(list.page(found.into_iter().map(document).collect(), last, limit)))
}

async fn create(caller: Caller, params: Params, Body(body): Body) -> Result<Response, Problem> {
    params.end()?;
    let new: NewKey = parse(&body)?;
    if !(1..=MAX_NAME).contains(&new.name.chars().count()) || new.name.contains('\0') {
        let detail = format!("must be 1 to {MAX_NAME} characters");
        return Err(Problem::field("/name", "name.length", &detail));
    }
    if let Some(tenant) = &new.tenant_id {
        check_tenant(tenant)?;
    }
    if new.expires_in == Some(0) {
        return Err(Problem::field("/expires_in", "expires_in.range", "must be at least 1"));
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
    let answer = Created {
        id,
        tenant_id: new.tenant_id,
        name: new.name,
        scopes: scopes.iter().map(|scope| scope.as_str()).collect(),
        key: key.expose().to_owned(),
        created_at,
        expires_at,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

async fn revoke(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Revoked>, Problem> {
    params.end()?;
    let missing = || Problem::not_found("api key", "there is no live key of this id");
    let id: ApiKeyId = id.parse().map_err(|_| missing())?;
    if caller.actor == format!("key:{id}") {
        let detail =
            "a key does not end itself; ask with another one, or postrider api-keys revoke";
        return Err(Problem::conflict("api_key.own", detail));
    }
    if !api_keys::revoke(&caller.db, id, None).await? {
        return Err(missing());
    }
    Ok(Json(Revoked { id, revoked: true }))
}

fn document(key: ApiKeyInfo) -> Key {
    Key {
        id: key.id,
        tenant_id: key.tenant,
        name: key.name,
        hint: key.hint,
        scopes: key.scopes,
        created_at: key.created_at,
        expires_at: key.expires_at,
        last_used_at: key.last_used_at,
        revoked_at: key.revoked_at,
        live: key.live,
    }
}
