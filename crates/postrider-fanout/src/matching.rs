//! Which endpoints want an event. Decides only; nothing is written here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use postrider_core::filter::{Attributes, Data, EventView, GivenUp, Routes, is_operator_event};
use postrider_store::events::EventBody;

use crate::routes::Route;

/// Why an event could not be matched: its own fault, so it counts as a try.
#[derive(Debug)]
pub(crate) struct Unmatchable(pub(crate) String);

/// Appends the endpoints that want this event, which may take so much time. Whatever panics over it, reading it or matching, is its own fault too.
pub(crate) fn matching(
    routes: &Routes<Route>,
    body: &EventBody,
    time: Duration,
    found: &mut Vec<Route>,
) -> Result<(), Unmatchable> {
    if routes.is_empty() {
        return Ok(());
    }
    isolated(found, |found| append(routes, body, time, found))
}

/// What fails or panics leaves nothing behind in `found`.
fn isolated<T>(
    found: &mut Vec<T>,
    work: impl FnOnce(&mut Vec<T>) -> Result<(), Unmatchable>,
) -> Result<(), Unmatchable> {
    let before = found.len();
    let done = catch_unwind(AssertUnwindSafe(|| work(found)))
        .unwrap_or_else(|_| Err(Unmatchable("matching panicked".to_owned())));
    if done.is_err() {
        found.truncate(before);
    }
    done
}

fn append(
    routes: &Routes<Route>,
    body: &EventBody,
    time: Duration,
    found: &mut Vec<Route>,
) -> Result<(), Unmatchable> {
    let began = Instant::now();
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
    let in_time = || began.elapsed() <= time;
    routes.for_each_match_while(&view, in_time, |route| found.push(*route)).map_err(|GivenUp| {
        Unmatchable(format!("its tenant's filters take longer than {time:?}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_panics_over_one_event_is_that_events_fault_and_leaves_nothing_behind() {
        let mut found = vec![1];
        let failed = isolated(&mut found, |found| {
            found.push(2);
            // As reading attributes or data could, if it had a fault.
            panic!("an index out of bounds")
        });
        assert_eq!(failed.unwrap_err().0, "matching panicked");
        assert_eq!(found, [1]);
        let failed = isolated(&mut found, |found| {
            found.push(2);
            Err(Unmatchable("data".to_owned()))
        });
        assert!(failed.is_err());
        assert_eq!(found, [1]);
        isolated(&mut found, |found| {
            found.push(3);
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [1, 3]);
    }
}
