//! `/events/stream`: events as they are committed, as server-sent events. What is visible is sent at once, also above the horizon; the id of
//! each is a cursor up to which nothing is missing, so who comes back with it may see the last ones again, and misses none.

mod live;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use postrider_core::api_key::{ApiKey, Scope};
use postrider_store::follow::Follow;
use serde_json::json;

use self::live::{Clocks, Live};
use super::caller::Caller;
use super::cursor::List;
use super::operation::Need;
use super::params::Params;
use super::problem::Problem;
use super::{Api, Stopping, feed};

/// Streams at once, each with a statement now and then.
pub(super) const MOST_STREAMS: usize = 32;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) async fn open(
    State(api): State<Api>,
    Extension(Stopping(stop)): Extension<Stopping>,
    caller: Caller,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Problem> {
    caller.need(Need { scope: Scope::Read, admin: false })?;
    let (tenant, types, after) = (params.tenant()?, params.text("types"), params.text("after"));
    params.end()?;
    let tenant = caller.tenant_of(tenant.as_deref())?.map(str::to_owned);
    let interest = feed::interest(types.as_deref())?;
    let full = || {
        let detail = format!("{MOST_STREAMS} streams are open");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "streams", detail).again_after(5)
    };
    let place = api.streams().try_acquire_owned().map_err(|_| full())?;
    let list = List::of("stream", &json!([tenant, types]));
    // Who comes back goes on where it was.
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let at = match last.map(str::to_owned).or(after) {
        Some(after) => Some(feed::place(&list, &after, api.horizon().decided().await?.as_ref())?),
        None => None,
    };
    let sees = (api.db().clone(), caller.db);
    let mut follow =
        Follow::from(api.horizon().clone(), sees, tenant, interest, at.unwrap_or_default());
    if at.is_none() {
        follow.begin_now().await?;
    }
    let key = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = key.and_then(|text| ApiKey::parse(text.split_once(' ')?.1.trim()));
    let clocks = Clocks::at(follow.at());
    let live = Live { api, follow, list, key, stop, clocks };
    let pieces = stream::unfold((live, place), async |(mut live, place)| {
        let piece: Result<Bytes, Infallible> = Ok(live.next().await?);
        Some((piece, (live, place)))
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Or a proxy collects what should go on at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
