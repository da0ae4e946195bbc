//! `/webhooks`: endpoints in the words of e2a, for clients of its API. A translation and nothing more: every request is carried out by
//! what carries out those of `/endpoints`.

mod bodies;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use http::{HeaderMap, Method, StatusCode};
use jiff::SignedDuration;
use postrider_core::api_key::Scope;
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::deliveries::{self as stored, DeliveryQuery};
use postrider_store::admin::endpoints::{self, Endpoint};
use postrider_store::admin::status;
use serde_json::{Value, json};

use self::bodies::{
    Deliveries, Delivery, NewWebhook, Scheduled, SecretRotated, Since, Test, Tested, Webhook,
    WebhookChanges, WebhookCreated, Webhooks,
};
use super::Api;
use super::body::{Body, parse};
use super::caller::Caller;
use super::endpoint_body::EndpointBody;
use super::endpoint_changes as changes;
use super::endpoint_secrets::{Rotation, rotate as rotate_secret};
use super::endpoints::{find, of_path};
use super::jobs::{self, Started, Wanted};
use super::operation::{Operation, param};
use super::params::Params;
use super::problem::Problem;
use super::shapes::NoContent;

/// Its header, beside ours: receivers of e2a go on verifying as they do.
const SIGNATURE: &str = "stripe=X-E2A-Signature";
/// How far back failed deliveries are sent again.
const FARTHEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long the old secret goes on signing.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Webhooks that are listed: there are no pages.
const MOST: i64 = 10_000;

pub(super) fn operations() -> Vec<Operation> {
    let of = |method, path| (method, path);
    vec![
        Operation::new(
            of(Method::GET, "/webhooks"),
            "list_webhooks",
            "Endpoints in e2a's shape, all at once",
            list,
        )
        .gives::<Webhooks>(200, "All of them"),
        Operation::new(
            of(Method::POST, "/webhooks"),
            "create_webhook",
            "Adds an endpoint that signs as e2a does, too",
            create,
        )
        .needs(Scope::Write)
        .takes::<NewWebhook>()
        .gives::<WebhookCreated>(201, "The webhook, with its secret, which is shown this once"),
        Operation::new(
            of(Method::GET, "/webhooks/{webhook_id}"),
            "show_webhook",
            "One endpoint in e2a's shape",
            show,
        )
        .gives::<Webhook>(200, "The webhook"),
        Operation::new(
            of(Method::PATCH, "/webhooks/{webhook_id}"),
            "update_webhook",
            "Changes what is named",
            update,
        )
        .needs(Scope::Write)
        .takes::<WebhookChanges>()
        .gives::<Webhook>(200, "The webhook as it is now"),
        Operation::new(
            of(Method::DELETE, "/webhooks/{webhook_id}"),
            "delete_webhook",
            "Deletes an endpoint",
            delete,
        )
        .needs(Scope::Write)
        .gives::<NoContent>(204, "It is gone"),
        Operation::new(
            of(Method::POST, "/webhooks/{webhook_id}/rotate-secret"),
            "rotate_webhook_secret",
            "A new secret; the old one signs for a day",
            rotate,
        )
        .needs(Scope::Write)
        .gives::<SecretRotated>(200, "The secret, shown this once"),
        Operation::new(
            of(Method::POST, "/webhooks/{webhook_id}/test"),
            "test_webhook",
            "Sends a signed test event",
            test,
        )
        .needs(Scope::Write)
        .may_take::<Test>()
        .gives::<Tested>(200, "It is on its way"),
        Operation::new(
            of(Method::GET, "/webhooks/{webhook_id}/deliveries"),
            "list_webhook_deliveries",
            "Its latest deliveries",
            deliveries,
        )
        .params([
            param(
                "limit",
                "How many at most",
                json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }),
            ),
            param(
                "status",
                "Only those that are this",
                json!({ "type": "string", "enum": ["pending", "delivered", "failed"] }),
            ),
        ])
        .gives::<Deliveries>(200, "The latest of a week"),
        Operation::new(
            of(Method::POST, "/webhooks/{webhook_id}/redeliver-since"),
            "redeliver_webhook_since",
            "Sends what failed since a time again",
            redeliver_since,
        )
        .needs(Scope::Write)
        .takes::<Since>()
        .gives::<Scheduled>(200, "It is under way"),
    ]
}

async fn list(caller: Caller, params: Params) -> Result<Json<Webhooks>, Problem> {
    params.end()?;
    let found = endpoints::list(&caller.db, caller.tenant.as_deref(), None, MOST).await?;
    Ok(Json(Webhooks { webhooks: found.into_iter().map(webhook).collect() }))
}

async fn create(
    State(api): State<Api>,
    caller: Caller,
    params: Params,
    Body(body): Body,
) -> Result<Response, Problem> {
    params.end()?;
    let new: NewWebhook = read(&body)?;
    let body = body_of(json!({
        "url": new.url, "event_types": new.events, "filter": new.filters.filter(|filter| !is_empty(filter)),
        "description": new.description, "signing": [SIGNATURE],
    }))?;
    let added = changes::add(&api, &caller, &body).await.map_err(as_theirs)?;
    let signing_secret = added.secret.unwrap_or_default();
    let answer = WebhookCreated { webhook: webhook(added.endpoint), signing_secret };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

async fn show(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Webhook>, Problem> {
    params.end()?;
    Ok(Json(webhook(find(&caller, of_path(&id)?).await?)))
}

async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Json<Webhook>, Problem> {
    params.end()?;
    let id = of_path(&id)?;
    let wanted: WebhookChanges = read(&body)?;
    let mut fields = serde_json::Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    set("url", wanted.url.map(Value::from));
    set("event_types", wanted.events.map(Value::from));
    set("description", wanted.description.map(Value::from));
    set(
        "filter",
        wanted.filters.map(|filter| if is_empty(&filter) { Value::Null } else { filter }),
    );
    let body = body_of(fields.into())?;
    let none = HeaderMap::new();
    changes::change(&api, &caller, id, &body, &none).await.map_err(as_theirs)?;
    if let Some(enabled) = wanted.enabled {
        super::endpoints::switch(&caller, id, enabled).await?;
    }
    Ok(Json(webhook(find(&caller, id).await?)))
}

async fn delete(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.end()?;
    super::endpoints::remove(&caller, of_path(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<SecretRotated>, Problem> {
    params.end()?;
    let rotated = rotate_secret(&api, &caller, of_path(&id)?, &Rotation::default()).await?;
    let now = status::clock(&caller.db).await?;
    Ok(Json(SecretRotated {
        signing_secret: rotated.secret.unwrap_or_default(),
        previous_secret_expires_at: now.checked_add(OVERLAP).unwrap_or(now),
    }))
}

async fn test(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Json<Tested>, Problem> {
    params.end()?;
    if !body.is_empty() {
        read::<Test>(&body)?;
    }
    let tested = changes::try_out(&caller, of_path(&id)?).await?;
    Ok(Json(Tested { delivery_id: tested.delivery_id }))
}

async fn deliveries(
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Json<Deliveries>, Problem> {
    let limit = params.limit_or(20)?;
    let word = params.text("status");
    params.end()?;
    let endpoint = find(&caller, of_path(&id)?).await?;
    let statuses: Vec<Option<DeliveryStatus>> = match word.as_deref() {
        None => vec![None],
        Some("pending") => vec![Some(DeliveryStatus::Pending)],
        Some("delivered") => vec![Some(DeliveryStatus::Delivered)],
        Some("failed") => vec![Some(DeliveryStatus::Exhausted), Some(DeliveryStatus::Rejected)],
        Some(_) => {
            let detail = "must be pending, delivered or failed";
            return Err(as_theirs(Problem::field("?status", "status", detail)));
        }
    };
    let now = status::clock(&caller.db).await?;
    let since = now.checked_sub(FARTHEST).unwrap_or(now);
    let mut found = Vec::new();
    for status in statuses {
        let query = DeliveryQuery {
            tenant: Some(&endpoint.tenant),
            endpoint: Some(endpoint.id),
            status: status.map(DeliveryStatus::as_str),
            since,
            before: None,
            limit,
        };
        found.extend(stored::list(&caller.db, &query).await?.rows);
    }
    found.sort_by_key(|delivery| std::cmp::Reverse(delivery.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Json(Deliveries { deliveries: found.into_iter().map(delivery).collect() }))
}

async fn redeliver_since(
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    Body(body): Body,
) -> Result<Json<Scheduled>, Problem> {
    params.end()?;
    let Since { since } = read(&body)?;
    let now = status::clock(&caller.db).await?;
    if now.duration_since(since) > FARTHEST {
        let detail = "lies more than seven days back; recover goes farther";
        return Err(as_theirs(Problem::field("/since", "time", detail)));
    }
    let id = of_path(&id)?;
    let scheduled = match jobs::start(&caller, id, Wanted::since(since)).await? {
        Started::Queued(job) => job.expected.unwrap_or_default(),
        Started::Counted(_) => 0,
    };
    Ok(Json(Scheduled { webhook_id: id, since, scheduled, skipped_already_pending: 0 }))
}

/// What e2a answers with 400.
fn as_theirs(problem: Problem) -> Problem {
    problem.with_status(StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST)
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    parse(body).map_err(as_theirs)
}

fn body_of(fields: Value) -> Result<EndpointBody, Problem> {
    read(fields.to_string().as_bytes())
}

fn is_empty(filter: &Value) -> bool {
    filter.as_object().is_some_and(serde_json::Map::is_empty)
}

fn webhook(endpoint: Endpoint) -> Webhook {
    let by_itself =
        endpoint.disabled_reason.as_deref().is_some_and(|why| why != endpoints::BY_HAND);
    Webhook {
        id: endpoint.id,
        url: endpoint.url,
        description: endpoint.description,
        events: endpoint.event_types,
        filters: endpoint.filter.unwrap_or_else(|| json!({})),
        enabled: endpoint.enabled,
        auto_disabled_at: (!endpoint.enabled && by_itself).then_some(endpoint.updated_at),
        created_at: endpoint.created_at,
    }
}

fn delivery(delivery: stored::Delivery) -> Delivery {
    let status = match delivery.status.parse() {
        Ok(DeliveryStatus::Pending) => "pending",
        Ok(DeliveryStatus::Delivered) => "delivered",
        _ => "failed",
    };
    Delivery {
        id: delivery.id,
        event_type: delivery.event_type,
        status,
        attempts: delivery.attempts,
        next_retry_at: delivery.next_attempt_at,
        created_at: delivery.event_created_at,
        last_error: delivery.last_error,
        last_status_code: delivery.last_status,
    }
}
