//! Trying a filter out: on one event, or on what a tenant published last. Asks the compiled clauses themselves, as fan-out does.
//! Reads the bodies of events, a page at a time, and writes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider_core::filter::{Attributes, Data, EventView, Explanation, Subscription};
use serde_json::Value;

use super::PAGE_LOOK;
use super::events::EventDetail;
use super::events::query::{self, EventQuery, Order};
use crate::statement::ADMIN_EVENTS_BODIES;
use crate::{Db, StoreError};

/// How many events a filter is tried on at most.
pub const MOST_TRIED: i64 = 1_000;
/// How many are in memory at a time: an envelope has up to a megabyte.
const PAGE: i64 = 50;

/// What a filter would have done with a tenant's last events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// Events that were looked at.
    pub looked_at: u64,
    /// Ids of those it matches, the newest first.
    pub matched: Vec<String>,
    /// How many it does not match.
    pub missed: u64,
    /// Of each clause that failed, by its JSON pointer into the endpoint, how many events it failed for. One event may fail by several.
    pub failed: BTreeMap<String, u64>,
    /// Events that no filter can read, and that match none.
    pub unreadable: u64,
    /// When the oldest that was looked at was published.
    pub oldest: Option<Timestamp>,
}

/// What types and filter say of an event that is kept.
///
/// # Errors
/// The text of why the event cannot be read.
pub fn explain(
    tenant: &str,
    event: &EventDetail,
    subscription: &Subscription,
) -> Result<Explanation, String> {
    let kept = Kept {
        event_type: &event.event_type,
        attributes: event.attributes.as_ref(),
        labels: event.labels.as_deref().unwrap_or_default(),
        envelope: &event.envelope,
    };
    kept.explain(tenant, subscription)
}

/// Tries types and filter on the last events of a tenant, [`MOST_TRIED`] at most. `finder` looks for them and sees all; `db` reads them.
///
/// # Errors
/// When the database cannot be asked.
pub async fn try_on_last(
    finder: &Db,
    db: &Db,
    tenant: &str,
    subscription: &Subscription,
    last: i64,
) -> Result<Trial, StoreError> {
    let (mut trial, mut before, mut left) = (Trial::default(), None, last.min(MOST_TRIED));
    while left > 0 {
        let query = EventQuery {
            tenant: Some(tenant),
            event_type: None,
            distinct_id: None,
            attributes: &BTreeMap::new(),
            label: None,
            state: None,
            since: Timestamp::UNIX_EPOCH,
            until: None,
            order: Order::NewestFirst,
            after: before,
            limit: left.min(PAGE),
            look: PAGE_LOOK,
        };
        let page = query::list(finder, db, &query).await?.rows;
        let (Some(newest), Some(oldest)) = (page.first(), page.last()) else { break };
        let seqs: Vec<i64> = page.iter().map(|event| event.seq).collect();
        // By their times as they are, not by their order: what is published later may have been begun earlier.
        let first = page.iter().map(|event| event.created_at).min().unwrap_or(oldest.created_at);
        let latest = page.iter().map(|event| event.created_at).max().unwrap_or(newest.created_at);
        let mut session = db.session().await?;
        for row in session.query(&ADMIN_EVENTS_BODIES, &[&seqs, &first, &latest]).await? {
            let (attributes, labels): (Option<Value>, Option<Vec<String>>) =
                (row.get(3), row.get(4));
            let kept = Kept {
                event_type: row.get(2),
                attributes: attributes.as_ref(),
                labels: labels.as_deref().unwrap_or_default(),
                envelope: row.get(5),
            };
            trial.note(row.get(1), kept.explain(tenant, subscription));
        }
        trial.oldest = trial.oldest.map_or(Some(first), |known| Some(known.min(first)));
        before = Some(oldest.seq);
        left -= i64::try_from(page.len()).unwrap_or(left);
    }
    Ok(trial)
}

/// What filters look at of an event, as it is stored.
struct Kept<'a> {
    event_type: &'a str,
    attributes: Option<&'a Value>,
    labels: &'a [String],
    envelope: &'a str,
}

impl Kept<'_> {
    fn explain(&self, tenant: &str, subscription: &Subscription) -> Result<Explanation, String> {
        let attributes = match self.attributes {
            Some(stored) => {
                Attributes::parse(&stored.to_string()).map_err(|error| error.to_string())?
            }
            None => Attributes::default(),
        };
        let data =
            Data::of_envelope(self.envelope.as_bytes()).map_err(|error| error.to_string())?;
        let event = EventView {
            tenant,
            event_type: self.event_type,
            attributes: &attributes,
            labels: self.labels,
            data: &data,
        };
        Ok(subscription.explain(&event))
    }
}

impl Trial {
    fn note(&mut self, id: &str, explained: Result<Explanation, String>) {
        self.looked_at += 1;
        match explained {
            Err(_) => self.unreadable += 1,
            Ok(explanation) if explanation.matched => self.matched.push(id.to_owned()),
            Ok(explanation) => {
                self.missed += 1;
                for clause in explanation.failed() {
                    *self.failed.entry(clause.pointer.clone()).or_default() += 1;
                }
            }
        }
    }
}
