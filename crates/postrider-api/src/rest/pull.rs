//! `/endpoints/{id}/events`: what an endpoint wants, read by who cannot be reached. Asking with a cursor says that everything up to it has
//! arrived; asking without one goes on from there.

use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::response::Json;
use http::Method;
use jiff::Timestamp;
use postrider_core::api_key::Scope;
use postrider_core::filter::Subscription;
use postrider_core::ids::EndpointId;
use postrider_store::admin::endpoints::{self, Change, Endpoint, EndpointChange, NewPull};
use postrider_store::horizon::Sight;
use postrider_store::positions::{self, Interest, Position, Wanted};
use serde_json::json;
use tokio::time::Instant;

use super::caller::Caller;
use super::cursor::List;
use super::endpoint_changes::not_added;
use super::endpoints::{find, of_path};
use super::events::Event;
use super::feed;
use super::operation::{Operation, param};
use super::params::Params;
use super::problem::Problem;
use super::shapes::Page;
use super::{Api, Stopping};

const LONGEST_WAIT: u64 = 30;
/// How often is looked while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            (Method::GET, "/endpoints/{endpoint_id}/events"),
            "pull_events",
            "What an endpoint wants, in order, read by who cannot be reached; a cursor acknowledges what came before it, if the key has the scope write",
            pull,
        )
        .params([
            param(
                "after",
                "The next_cursor of the page before, which is acknowledged with that (by keys with the scope write); start: from the oldest event that is left; nothing: from what was acknowledged",
                json!({ "type": "string" }),
            ),
            param(
                "limit",
                "How many at most",
                json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }),
            ),
            param(
                "wait",
                "So many seconds for something to come",
                json!({ "type": "integer", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0 }),
            ),
        ])
        .gives::<Page<Event>>(200, "The next events, with the cursor to go on with, always"),
    ]
}

async fn pull(
    State(api): State<Api>,
    Extension(Stopping(stop)): Extension<Stopping>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Json<Page<Event>>, Problem> {
    let (after, limit, wait) = (params.text("after"), params.limit()?, waiting(&mut params)?);
    params.end()?;
    let endpoint = find(&caller, of_path(&id)?).await?;
    if !endpoint.enabled {
        return Err(Problem::conflict("endpoint.disabled", "the endpoint is disabled"));
    }
    let interest = Interest {
        subscription: Subscription::compile(&endpoint.event_types, endpoint.filter.as_ref())?,
        endpoint: Some(endpoint.id),
    };
    let wanted = Wanted {
        tenant: Some(&endpoint.tenant),
        event_type: None,
        since: Timestamp::UNIX_EPOCH,
        by: Some(&interest),
    };
    let list = List::of("pull", &json!([endpoint.id]));
    let limit = usize::try_from(limit).unwrap_or(1);
    // Where too many wait, one is answered at once.
    let place_of_waiting = api.wait();
    let wait = if place_of_waiting.is_some() { wait } else { Duration::ZERO };
    let (deadline, mut sight) = (Instant::now() + wait, api.horizon().decided().await?);
    let mut at = place(&api, &caller, &list, &endpoint, after.as_deref(), &sight).await?;
    loop {
        let read =
            positions::read(api.db(), &caller.db, &wanted, at.seq, sight.decided, limit).await?;
        at.seq = read.to;
        let over = Instant::now() >= deadline || stop.soft_requested();
        if !read.events.is_empty() || over {
            return Ok(Json(feed::page(&list, read, &sight)));
        }
        if at.seq >= sight.decided {
            stop.soft_within(LOOK_EVERY).await;
            sight = api.horizon().look(LOOK_EVERY).await?;
        }
    }
}

fn waiting(params: &mut Params) -> Result<Duration, Problem> {
    let what = format!("0 to {LONGEST_WAIT} seconds");
    let seconds = params.parsed::<u64>("wait", &what)?.unwrap_or(0);
    if seconds > LONGEST_WAIT {
        return Err(Problem::field("?wait", "query.range", &format!("must be {what}")));
    }
    Ok(Duration::from_secs(seconds))
}

/// Where reading goes on. A cursor is acknowledged, unless the endpoint is sent to: then nobody depends on what was read.
async fn place(
    api: &Api,
    caller: &Caller,
    list: &List,
    endpoint: &Endpoint,
    after: Option<&str>,
    sight: &Sight,
) -> Result<Position, Problem> {
    // The endpoint is the caller's own; how far it has come is ours to keep.
    if let Some(after) = after {
        let at = feed::place(list, after, sight)?;
        // Whoever may only look moves nobody's place.
        if endpoint.is_pull() && at.seq > 0 && caller.may(Scope::Write) {
            positions::acknowledge(api.db(), endpoint.id, &endpoint.tenant, at).await?;
        }
        return Ok(at);
    }
    let known = positions::acknowledged(api.db(), endpoint.id).await?.map(|(at, _)| at);
    let at = known.unwrap_or(Position { seq: 0, removed_to: sight.removed_to });
    feed::still_there(at, sight)?;
    Ok(at)
}

/// Adds an endpoint that is read: from now on, unless its reader says `after=start`.
pub(super) async fn create(
    api: &Api,
    caller: &Caller,
    tenant: &str,
    new: EndpointChange,
    enabled: bool,
) -> Result<EndpointId, Problem> {
    refuse_what_is_for_requests(&new)?;
    let filter = match new.filter {
        Change::Set(filter) => Some(filter),
        Change::Keep | Change::Clear => None,
    };
    let stored = NewPull {
        id: endpoints::new_id(),
        tenant,
        description: new.description.as_deref().unwrap_or_default(),
        event_types: &new.event_types.unwrap_or_else(|| vec!["*".to_owned()]),
        filter: filter.as_ref(),
        enabled,
        metadata: &new.metadata.unwrap_or_else(|| json!({})),
    };
    let sight = api.horizon().decided().await?;
    endpoints::create_pull(&caller.db, &stored)
        .await
        .map_err(|failure| not_added(failure, tenant))?;
    let begin = Position { seq: sight.decided, removed_to: sight.removed_to };
    positions::acknowledge(api.db(), stored.id, tenant, begin).await?;
    Ok(stored.id)
}

/// # Errors
/// When something is said about requests of an endpoint to which none are made.
pub(super) fn refuse_what_is_for_requests(change: &EndpointChange) -> Result<(), Problem> {
    for (field, there) in [
        ("url", change.url.is_some()),
        ("headers", !matches!(change.headers, Change::Keep)),
        ("retry_schedule_ms", !matches!(change.retry_schedule_ms, Change::Keep)),
        ("timeout_ms", !matches!(change.timeout_ms, Change::Keep)),
        ("max_in_flight", !matches!(change.max_in_flight, Change::Keep)),
        ("rate_limit", !matches!(change.rate_limit, Change::Keep)),
        ("capture_responses", change.capture_responses.is_some()),
        ("format", change.settings.format.is_some()),
        ("signing", change.settings.signing.is_some()),
        ("auth", !matches!(change.settings.auth, Change::Keep)),
        ("ordering", change.order.is_some()),
        ("batch", !matches!(change.batch, Change::Keep)),
    ] {
        if there {
            return Err(only_read(field));
        }
    }
    Ok(())
}

/// What means nothing for an endpoint that is read.
pub(super) fn only_read(field: &str) -> Problem {
    let detail = "means nothing for an endpoint of the kind pull: no requests are made";
    Problem::field(format!("/{field}"), "endpoint.kind", detail)
}
