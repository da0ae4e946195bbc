//! Which endpoints want an event. Decides only; nothing is written here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use postrider_core::filter::{Attributes, EventView, Routes};
use postrider_core::ids::EndpointId;
use postrider_store::events::EventBody;

/// Why an event could not be matched: its own fault, so it counts as a try.
#[derive(Debug)]
pub(crate) struct Unmatchable(pub(crate) String);

/// Appends the endpoints that want this event.
pub(crate) fn matching(
    routes: &Routes<EndpointId>,
    body: &EventBody,
    found: &mut Vec<EndpointId>,
) -> Result<(), Unmatchable> {
    if routes.is_empty() {
        return Ok(());
    }
    let attributes = match &body.attributes {
        Some(text) => {
            Attributes::parse(text).map_err(|error| Unmatchable(format!("attributes: {error}")))?
        }
        None => Attributes::default(),
    };
    let view = EventView {
        tenant: &body.tenant_id,
        event_type: &body.event_type,
        attributes: &attributes,
        labels: &body.labels,
    };
    let before = found.len();
    catch_unwind(AssertUnwindSafe(|| {
        routes.for_each_match(&view, |endpoint| found.push(*endpoint))
    }))
    .map_err(|_| {
        found.truncate(before);
        Unmatchable("matching panicked".to_owned())
    })
}
