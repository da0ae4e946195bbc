//! By what events are narrowed, in lists and where somebody asks whether there is one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use postrider_store::admin::events::query::{EventQuery, Order};
use postrider_store::admin::{PAGE_LOOK, status};
use serde::Serialize;
use serde_json::json;

use super::caller::Caller;
use super::events::past;
use super::operation::{Param, param, tenant_param, text, time};
use super::params::{Params, refused};
use super::problem::Problem;

/// Most attributes that can be named.
const MOST_ATTRIBUTES: usize = 10;

/// The parameters, but for attributes: their names are the publisher's.
pub(super) fn narrowing() -> [Param; 8] {
    let spans = r"^([1-9][0-9]{0,2}(s|m|h)|([1-9][0-9]?|[1-3][0-9]{2}|400)d)$";
    let states = json!({ "type": "string", "enum": ["pending", "failed", "fanned_out"] });
    [
        tenant_param(),
        param("type", "An exact type, or a prefix as email.*", text()),
        param("distinct_id", "The attribute user_id, else distinct_id in the data", text()),
        param("label", "One of its labels", text()),
        param("state", "Where it stands", states),
        param("since", "Not older than this; a day ago if nothing is said", time()),
        param("until", "Older than this", time()),
        param(
            "within",
            "Instead of since: not older than 30m, 24h, 7d …",
            json!({ "type": "string", "pattern": spans }),
        ),
    ]
}

/// What is asked for. As JSON it binds cursors.
#[derive(Debug, Serialize)]
pub(super) struct Wanted {
    pub(super) tenant: Option<String>,
    event_type: Option<String>,
    distinct_id: Option<String>,
    attributes: BTreeMap<String, String>,
    label: Option<String>,
    state: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    within: Option<SignedDuration>,
}

impl Wanted {
    pub(super) fn of(params: &mut Params) -> Result<Self, Problem> {
        let wanted = Self {
            tenant: params.tenant()?,
            event_type: params.text("type"),
            distinct_id: params.text("distinct_id"),
            attributes: params.prefixed("attribute."),
            label: params.text("label"),
            state: params.text("state"),
            since: params.time("since")?,
            until: params.time("until")?,
            within: params.span("within")?,
        };
        if wanted.within.is_some() && wanted.since.is_some() {
            return Err(refused("within", "time", "is another way to say since: give one of them"));
        }
        if wanted.attributes.len() > MOST_ATTRIBUTES {
            return Err(refused("attribute", "attributes.count", "more than 10 are named"));
        }
        let known = ["pending", "failed", "fanned_out"];
        if wanted.state.as_deref().is_some_and(|state| !known.contains(&state)) {
            return Err(refused("state", "query.syntax", "must be pending, failed or fanned_out"));
        }
        Ok(wanted)
    }

    /// Not older than this, by the database's clock.
    pub(super) async fn since(&self, caller: &Caller) -> Result<Timestamp, Problem> {
        if let Some(since) = self.since {
            return Ok(since);
        }
        let now = status::clock(&caller.finder).await?;
        Ok(match self.within {
            Some(within) => now.checked_sub(within).unwrap_or(Timestamp::UNIX_EPOCH),
            None => past(now),
        })
    }

    /// One page of it, from its beginning.
    pub(super) fn query<'a>(&'a self, tenant: Option<&'a str>, since: Timestamp) -> EventQuery<'a> {
        EventQuery {
            tenant,
            event_type: self.event_type.as_deref().filter(|pattern| *pattern != "*"),
            distinct_id: self.distinct_id.as_deref(),
            attributes: &self.attributes,
            label: self.label.as_deref(),
            state: self.state.as_deref(),
            since,
            until: self.until,
            order: Order::NewestFirst,
            after: None,
            limit: 1,
            look: PAGE_LOOK,
        }
    }
}
