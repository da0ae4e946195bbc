//! Who asks: found by the key in `Authorization: Bearer`, or, where the API is open to this machine, anybody on it.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use postrider_core::api_key::{ApiKey, Scope};
use postrider_event::DEFAULT_TENANT;
use postrider_store::admin::api_keys::{self, Holder};
use postrider_store::{Acting, Db};

use super::operation::Need;
use super::problem::Problem;
use super::request::RequestId;
use super::{Api, Peer};

/// Who asks, and what it may see and do.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// As the audit log names it.
    pub(super) actor: String,
    /// `None`: an admin.
    pub(super) tenant: Option<String>,
    scopes: Vec<Scope>,
    /// Shows what it may see and nothing else.
    pub(super) db: Db,
    /// Finds where things are, by what the handler says: what is found is read by `db`.
    pub(super) finder: Db,
    /// For publishing, which is for its tenant by what the handler says.
    pub(super) publishing: Db,
}

impl Caller {
    /// # Errors
    /// When its key does not allow this.
    pub(super) fn need(&self, need: Need) -> Result<(), Problem> {
        if need.admin && self.tenant.is_some() {
            return Err(Problem::forbidden("this needs an admin key"));
        }
        if self.scopes.contains(&need.scope) {
            return Ok(());
        }
        Err(Problem::forbidden(format!("the key has not the scope {}", need.scope.as_str())))
    }

    /// Whether its key has the scope.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// The tenant that is asked about: its own, whatever it says; of an admin the one it names, or all.
    ///
    /// # Errors
    /// When a tenant names another: there is nothing of it here.
    pub(super) fn tenant_of<'a>(
        &'a self,
        named: Option<&'a str>,
    ) -> Result<Option<&'a str>, Problem> {
        match (self.tenant.as_deref(), named) {
            (Some(own), Some(named)) if own != named => {
                Err(Problem::not_found("tenant", "there is no such tenant"))
            }
            (Some(own), _) => Ok(Some(own)),
            (None, named) => Ok(named),
        }
    }

    /// The tenant that something is made for: its own; of an admin the one the body names, or the usual one.
    ///
    /// # Errors
    /// When a tenant names another: the tenant comes from the key.
    pub(super) fn tenant_for<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, Problem> {
        match (self.tenant.as_deref(), named) {
            (Some(own), Some(named)) if own != named => {
                let detail = "the tenant comes from the key";
                Err(Problem::field("/tenant_id", "unknown_field", detail))
            }
            (Some(own), _) => Ok(own),
            (None, named) => Ok(named.unwrap_or(DEFAULT_TENANT)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| Problem::unauthorized("who asks is not known"))
    }
}

/// Finds out who asks, before anything is answered.
pub(super) async fn identify(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let key = request.headers().get(AUTHORIZATION).cloned();
    // A page in somebody's browser is not somebody on this machine.
    let peer_is_local = peer.is_some_and(|peer| peer.is_loopback())
        && !request.headers().contains_key(ORIGIN)
        && request.headers().get(HOST).is_some_and(is_this_machine);
    match caller(&api, peer, peer_is_local, key).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn caller(
    api: &Api,
    peer: Option<IpAddr>,
    peer_is_local: bool,
    key: Option<HeaderValue>,
) -> Result<Caller, Problem> {
    let holder = match key {
        None if api.is_open() && peer_is_local => None,
        None => {
            return Err(Problem::unauthorized("send the key as \"Authorization: Bearer prk_…\""));
        }
        Some(value) => {
            let text = value.to_str().ok();
            let text = text.and_then(|text| text.split_once(' '));
            let key = text
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .and_then(|(_, key)| ApiKey::parse(key.trim()));
            let key = key.ok_or_else(unknown)?;
            Some(api_keys::holder(api.db(), &key).await?.ok_or_else(unknown)?)
        }
    };
    let (actor, tenant, scopes) = match holder {
        Some(Holder { id, tenant, scopes }) => (format!("key:{id}"), tenant, scopes),
        None => ("open".to_owned(), None, Scope::ALL.to_vec()),
    };
    let acting = Acting {
        tenant: tenant.clone(),
        actor: actor.clone(),
        address: peer,
        request_id: Some(RequestId::current()),
    };
    let publishing = api.db().acting(&Acting { tenant: None, ..acting.clone() });
    Ok(Caller {
        actor,
        tenant,
        scopes,
        db: api.db().acting(&acting),
        finder: api.db().clone(),
        publishing,
    })
}

/// A wrong key is told from a revoked or an expired one by nobody.
fn unknown() -> Problem {
    Problem::unauthorized("the key is unknown, or has ended")
}

/// Whether a `Host` names this machine by itself, so that no name of somebody else's leads here.
fn is_this_machine(host: &HeaderValue) -> bool {
    let host = host.to_str().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}
