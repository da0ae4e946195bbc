//! `/audit`: every change of what people set.

use axum::response::Json;
use jiff::Timestamp;
use postrider_core::api_key::Scope;
use postrider_store::admin::audit::{self, AuditEntry, AuditQuery};
use serde_json::{Value, json};

use super::caller::Caller;
use super::cursor::List;
use super::params::Params;
use super::problem::Problem;

pub(super) async fn list(caller: Caller, mut params: Params) -> Result<Json<Value>, Problem> {
    caller.need(Scope::Read)?;
    let (tenant, subject, action) =
        (params.text("tenant_id"), params.text("subject"), params.text("action"));
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
    Ok(Json(list.page(found.iter().map(document).collect(), last, limit)))
}

fn document(entry: &AuditEntry) -> Value {
    json!({
        "id": entry.id, "at": entry.at, "tenant_id": entry.tenant, "actor": entry.actor, "address": entry.address,
        "request_id": entry.request_id, "action": entry.action, "subject": entry.subject, "changes": entry.changes,
    })
}
