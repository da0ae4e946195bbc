//! Which endpoints want an event. Decides only; nothing is written here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use postrider_core::filter::{Attributes, Data, EventView, Routes, is_operator_event};
use postrider_store::events::EventBody;

use crate::routes::Route;

/// Why an event could not be matched: its own fault, so it counts as a try.
#[derive(Debug)]
pub(crate) struct Unmatchable(pub(crate) String);

/// Appends the endpoints that want this event.
pub(crate) fn matching(
    routes: &Routes<Route>,
    body: &EventBody,
    found: &mut Vec<Route>,
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
    // Most filters look at attributes and labels alone, and then nobody has to read the data.
    let data = match routes.need_data(&body.event_type) {
        true => Data::of_envelope(&body.envelope)
            .map_err(|error| Unmatchable(format!("data: {error}")))?,
        false => Data::NONE,
    };
    let view = EventView {
        tenant: &body.tenant_id,
        event_type: &body.event_type,
        attributes: &attributes,
        labels: &body.labels,
        data: &data,
    };
    let before = found.len();
    catch_unwind(AssertUnwindSafe(|| routes.for_each_match(&view, |route| found.push(*route))))
        .map_err(|_| {
            found.truncate(before);
            Unmatchable("matching panicked".to_owned())
        })?;
    if is_operator_event(&body.event_type) {
        leave_out_its_subject(body, before, found);
    }
    Ok(())
}

/// Nobody is told of its own troubles: an event about an endpoint never goes to that endpoint.
fn leave_out_its_subject(body: &EventBody, from: usize, found: &mut Vec<Route>) {
    let attributes = body.attributes.as_deref().unwrap_or_default();
    let mut index = 0;
    found.retain(|route| {
        index += 1;
        index <= from || !attributes.contains(&route.endpoint.to_string())
    });
}
