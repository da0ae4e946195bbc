//! `/audit`: every change of what people set.

use std::net::IpAddr;

use axum::response::Json;
use http::Method;
use jiff::Timestamp;
use postrider_store::admin::audit::{self, AuditEntry, AuditQuery};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::cursor::List;
use super::operation::{Operation, param, tenant_param, text, time};
use super::params::Params;
use super::problem::Problem;
use super::shapes::{AnyObject, Page};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/audit"),
            "list_audit",
            "Every change of what people set, the newest first",
            list,
        )
        .params([
            tenant_param(),
            param("subject", "Only of what has this id", text()),
            param("action", "As endpoint.updated", text()),
            param("since", "Not older than this", time()),
        ])
        .paged()
        .gives::<Page<Change>>(200, "One page"),
    ]
}

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
struct Change {
    id: i64,
    at: Timestamp,
    /// Null: of the installation.
    tenant_id: Option<String>,
    /// key:ID, cli:USER, worker or sql:ROLE.
    actor: String,
    #[schemars(with = "Option<String>")]
    address: Option<IpAddr>,
    request_id: Option<String>,
    action: String,
    subject: String,
    /// Of each column what it was and what it has become; of a secret only that it changed.
    #[schemars(with = "AnyObject")]
    changes: Value,
}

async fn list(caller: Caller, mut params: Params) -> Result<Json<Page<Change>>, Problem> {
    let (tenant, subject, action) =
        (params.tenant()?, params.text("subject"), params.text("action"));
    let (since, limit, cursor) = (params.time("since")?, params.limit()?, params.text("cursor"));
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let list = List::of("audit", &json!([tenant, subject, action, since]));
    let query = AuditQuery {
        tenant,
        subject: subject.as_deref(),
        action: action.as_deref(),
        since: since.unwrap_or(Timestamp::UNIX_EPOCH),
        before: list.key(cursor.as_deref())?,
        limit,
    };
    let found = audit::list(&caller.db, &query).await?;
    let last = found.last().map(|entry| entry.id);
    Ok(Json(list.page(found.into_iter().map(change).collect(), last, limit)))
}

fn change(entry: AuditEntry) -> Change {
    let AuditEntry { id, at, tenant, actor, address, request_id, action, subject, changes } = entry;
    Change { id, at, tenant_id: tenant, actor, address, request_id, action, subject, changes }
}
