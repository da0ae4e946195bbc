//! What the receiver does with a request, by its place among all that arrived, so that who judges can tell it again.

use std::time::Duration;

use postrider_testkit::{Behaviour, Received, Reply};
use serde_json::{Value, json};

/// Before an answer: so that a kill finds requests in flight.
const HOLD: Duration = Duration::from_millis(5);

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    /// As a whole.
    Failed,
    /// Some of its events are refused, each by itself.
    Partly,
}

/// A sixth fails; of a sixth of the batches some events are refused.
pub(super) fn fate(request: &Received) -> Fate {
    match (spread(request.sequence) % 6, is_batch(request)) {
        (0, _) => Fate::Failed,
        (1, true) => Fate::Partly,
        _ => Fate::Accepted,
    }
}

/// Whether this event of a request that is partly refused is one of those.
pub(super) fn is_refused(request: &Received, place: usize) -> bool {
    spread(request.sequence.wrapping_add(place as u64)).is_multiple_of(8)
}

pub(super) fn is_batch(request: &Received) -> bool {
    request.id().starts_with("btc_")
}

/// The ids of its events, in the order of its body.
pub(super) fn members(request: &Received) -> Vec<String> {
    let id = |item: &Value| item["id"].as_str().unwrap_or_default().to_owned();
    match request.json() {
        Value::Array(items) => items.iter().map(id).collect(),
        one => vec![id(&one)],
    }
}

pub(super) fn behaviour() -> Behaviour {
    Behaviour::ask(|request| Behaviour::Delay(HOLD, Box::new(answer(request))))
}

fn answer(request: &Received) -> Behaviour {
    match fate(request) {
        Fate::Accepted => Behaviour::status(200),
        Fate::Failed => Behaviour::status(500),
        Fate::Partly => {
            let status = |place| if is_refused(request, place) { 503 } else { 200 };
            let results: Vec<Value> = members(request)
                .iter()
                .enumerate()
                .map(|(place, id)| json!({ "id": id, "status": status(place) }))
                .collect();
            Behaviour::Reply(Reply::new(207).body(json!({ "results": results }).to_string()))
        }
    }
}

/// Numbers in a row, scattered.
fn spread(number: u64) -> u64 {
    (number.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33
}
