//! `/events?after=`: events in the order of their `seq`, read on from a cursor. It never passes over what commits late, and says so when
//! retention was faster than the reader.

use axum::response::Json;
use http::StatusCode;
use jiff::Timestamp;
use postrider_core::filter::Subscription;
use postrider_store::horizon::Sight;
use postrider_store::positions::{self, Interest, PlacedEvent, Position, Read, Wanted};
use serde_json::json;

use super::Api;
use super::caller::Caller;
use super::cursor::List;
use super::events::Event;
use super::params::Params;
use super::problem::Problem;
use super::shapes::Page;

/// The cursor of whoever begins with the oldest event that is left.
const START: &str = "start";

pub(super) async fn list(
    api: &Api,
    caller: &Caller,
    mut params: Params,
    after: &str,
) -> Result<Json<Page<Event>>, Problem> {
    let (tenant, event_type) = (params.tenant()?, params.text("type"));
    let (since, limit) = (params.time("since")?, params.limit()?);
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?;
    let list = List::of("feed", &json!([tenant, event_type, since]));
    let sight = api.horizon().decided().await?;
    let at = place(&list, after, &sight)?;
    let wanted = Wanted {
        tenant,
        event_type: event_type.as_deref(),
        since: since.unwrap_or(Timestamp::UNIX_EPOCH),
        by: None,
    };
    let limit = usize::try_from(limit).unwrap_or(1);
    let read = positions::read(api.db(), &caller.db, &wanted, at.seq, sight.decided, limit).await?;
    Ok(Json(page(&list, read, &sight)))
}

/// The place that a cursor stands for. Codes: `cursor`, and `cursor.gone` where something behind it is not there any more.
pub(super) fn place(list: &List, after: &str, sight: &Sight) -> Result<Position, Problem> {
    match after {
        "" | START => Ok(Position { seq: 0, removed_to: sight.removed_to }),
        cursor => {
            let at = list.key_of::<Position>("?after", cursor)?;
            still_there(at, sight)?;
            Ok(at)
        }
    }
}

/// # Errors
/// When something behind a place is not there any more, or the place is none of this database's.
pub(super) fn still_there(at: Position, sight: &Sight) -> Result<(), Problem> {
    let gone = |detail| Problem::new(StatusCode::GONE, "cursor.gone", detail);
    if at.is_gone(sight.removed_to) {
        let detail = "retention removed events that were not read yet; after=start reads on with the oldest that is left";
        return Err(gone(detail));
    }
    if at.seq > sight.drawn {
        let detail = "the database is older than the cursor: it was restored from a backup, perhaps; after=start reads all again";
        return Err(gone(detail));
    }
    Ok(())
}

/// What was read, and from where to go on: always, also where there is nothing yet.
pub(super) fn page(list: &List, read: Read, sight: &Sight) -> Page<Event> {
    let next = Position { seq: read.to, removed_to: sight.removed_to };
    Page {
        has_more: read.to < sight.decided,
        next_cursor: Some(list.cursor(next)),
        data: read.events.into_iter().map(event).collect(),
        cut: false,
    }
}

/// What types a reader names, if it does: `a,b.*`.
pub(super) fn interest(types: Option<&str>) -> Result<Option<Interest>, Problem> {
    let Some(types) = types else { return Ok(None) };
    let types: Vec<String> = types.split(',').map(str::to_owned).collect();
    let subscription = Subscription::compile(&types, None)
        .map_err(|error| Problem::field("?types", error.code, &error.detail))?;
    Ok(Some(Interest { subscription, endpoint: None }))
}

pub(super) fn event(event: PlacedEvent) -> Event {
    Event {
        id: event.id,
        tenant_id: event.tenant,
        r#type: event.event_type,
        created_at: event.created_at,
        state: event.state,
        attributes: event.attributes.and_then(|text| serde_json::from_str(&text).ok()),
        labels: event.labels,
        ordering_key: event.ordering_key,
        expires_at: event.expires_at,
        // As it was published, number by number and key by key.
        envelope: serde_json::from_str(&event.envelope).ok(),
    }
}
