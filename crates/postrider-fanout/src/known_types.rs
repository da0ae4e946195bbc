//! Event types that fan-out has met: what nobody declared is listed in the catalog, after its batch was committed and off its way.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use postrider_core::filter::is_operator_event;
use postrider_store::admin::endpoints::TEST_EVENT;
use postrider_store::events::ClaimedEvent;
use postrider_store::{Db, event_types};
use tracing::warn;

/// How many types are remembered. Where a program makes names up, the rest is not listed.
const MOST_TYPES: usize = 10_000;
/// After a failure nothing is listed for so long: the list can wait, events cannot.
const REST: Duration = Duration::from_secs(60);

/// The types that are in the catalog, as far as this worker knows.
#[derive(Debug, Default)]
pub(crate) struct KnownTypes {
    known: HashSet<Box<str>>,
    rests_until: Option<Instant>,
}

impl KnownTypes {
    /// The types among these events that were never met before. Costs a comparison for an event of the same type as the one before, and a look-up
    /// for any other; in order, so that two workers that list them wait for each other and not in a circle.
    pub(crate) fn new_among<'a>(&self, events: &'a [ClaimedEvent], now: Instant) -> Vec<&'a str> {
        if self.known.len() >= MOST_TYPES || self.rests_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let mut last = "";
        let mut new = BTreeSet::new();
        for event in events {
            let Some(body) = &event.body else { continue };
            if body.event_type != last && !self.known.contains(body.event_type.as_str()) {
                new.insert(body.event_type.as_str());
            }
            last = &body.event_type;
        }
        new.into_iter().filter(|name| !is_operator_event(name) && *name != TEST_EVENT).collect()
    }

    /// Lists them. What fails is tried again later, when one of them is met again.
    pub(crate) async fn list(&mut self, db: &Db, names: &[&str]) {
        match event_types::seen(db, names).await {
            Ok(_) => self.known.extend(names.iter().map(|name| Box::from(*name))),
            Err(failure) => {
                self.rests_until = Some(Instant::now() + REST);
                warn!(error = %failure, "new event types were not listed: {failure}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use postrider_store::events::EventBody;

    use super::*;

    fn event(event_type: &str) -> ClaimedEvent {
        let body = EventBody {
            tenant_id: "t".to_owned(),
            id: "e".to_owned(),
            event_type: event_type.to_owned(),
            attributes: None,
            labels: Vec::new(),
            ordering_key: None,
            envelope: Bytes::new(),
            traceparent: None,
            expires_at: None,
            routing_version: 0,
        };
        ClaimedEvent {
            seq: 1,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            attempts: 0,
            body: Some(body),
        }
    }

    #[test]
    fn a_type_is_new_once_and_operator_events_never() {
        let mut types = KnownTypes::default();
        let events = ["b", "b", "a", "endpoint.created", "b"].map(event);
        let now = Instant::now();
        assert_eq!(types.new_among(&events, now), ["a", "b"]);
        types.known.insert("b".into());
        assert_eq!(types.new_among(&events, now), ["a"]);
        types.rests_until = Some(now + REST);
        assert!(types.new_among(&events, now).is_empty());
        assert_eq!(types.new_among(&events, now + REST), ["a"]);
        types.known.extend((0..MOST_TYPES).map(|n| n.to_string().into_boxed_str()));
        assert!(types.new_among(&events, now + REST).is_empty());
    }
}
