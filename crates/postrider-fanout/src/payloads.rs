//! What the deliveries of one claim send: made once for each event, when the first of them asks.

use std::sync::Arc;

use postrider_core::ids::DeliveryId;
use postrider_store::deliveries::EventPayload;
use postrider_store::events::{ClaimedEvent, EventBody};

use crate::pass::Match;

/// The claimed events and their payloads.
pub(crate) struct Payloads<'a> {
    events: &'a [ClaimedEvent],
    made: Vec<Option<Arc<EventPayload>>>,
}

impl<'a> Payloads<'a> {
    pub(crate) fn of(events: &'a [ClaimedEvent]) -> Self {
        Self { events, made: vec![None; events.len()] }
    }

    /// The event of a match.
    pub(crate) fn of_match(&self, m: &Match) -> Option<(&'a ClaimedEvent, &'a EventBody)> {
        let event = &self.events[m.event];
        Some((event, event.body.as_ref()?))
    }

    pub(crate) fn body(&self, m: &Match) -> Option<&'a EventBody> {
        self.events[m.event].body.as_ref()
    }

    /// The id of the delivery that a match leads to.
    pub(crate) fn delivery_id(&self, m: &Match) -> Option<DeliveryId> {
        let (event, body) = self.of_match(m)?;
        let created_at_ms = u64::try_from(event.created_at.as_millisecond()).unwrap_or(0);
        Some(DeliveryId::derive(created_at_ms, &body.tenant_id, &body.id, m.endpoint, 0))
    }

    /// What a match sends.
    pub(crate) fn get(&mut self, m: &Match) -> Option<Arc<EventPayload>> {
        let body = self.body(m)?;
        let made = self.made[m.event].get_or_insert_with(|| {
            Arc::new(EventPayload {
                id: body.id.clone(),
                envelope: body.envelope.clone(),
                traceparent: body.traceparent.clone(),
                expires_at: body.expires_at,
            })
        });
        Some(Arc::clone(made))
    }
}
