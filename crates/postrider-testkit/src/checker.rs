//! The checker: compares what publishers and receivers wrote down with the database after the drain, and says which of
//! the invariants I1 to I7 (docs/ARCHITECTURE.md) the run broke, with the evidence.
//! Reads [`Journals`] and a [`DatabaseState`]; trusts neither the daemon's word nor its rows alone.

mod history;
mod order;
mod rows;
mod verdict;
mod wire;

pub use self::order::{OrderVerdict, OrderedEvent, check_order};
pub use self::verdict::{Finding, Totals, Verdict};

use self::history::History;
use crate::journal::Journals;
use crate::state::DatabaseState;

/// Judges a run that is over: every publisher has ended and the worker has had its time to drain.
///
/// | field of the verdict | what it holds | invariant |
/// | --- | --- | --- |
/// | `lost` | a committed event without its row, body or delivery, or a delivery still open after the drain | I1 |
/// | `claimed` | a delivery marked delivered that no receiver ever answered wholly with a 2xx | I1 |
/// | `misrouted` | a delivery or request for an endpoint of the tenant that did not subscribe to the type | I1 |
/// | `phantom` | a row or request for an event whose every transaction rolled back | I2 |
/// | `invented` | a row or request for an event nobody published, or one sent before it was published | I2 |
/// | `cross_tenant` | a row or request that joins one tenant's event and another's endpoint | I3 |
/// | `double_rows` | two deliveries for one event, endpoint and replay, or two bodies of one event | I4 |
/// | `unexcused_duplicates` | a request after (or beside) one answered 2xx, with no fault about that could explain it | I5 |
/// | `over_budget` | duplicates a fault could explain, but more than were in flight when it struck | I5 |
/// | `body_changed` | requests of one event that differ, from each other or from what was published | I6 |
/// | `stale_overwrites` | a row that says otherwise than the last answer, or was closed and changed afterwards | I7 |
/// | `vacuous` | nothing happened, or a transaction's end is unknown: the run proves nothing | |
#[must_use]
pub fn check(journals: &Journals, state: &DatabaseState) -> Verdict {
    let history = History::build(journals, state);
    let mut verdict = Verdict::default();
    rows::check_events(&history, state, &mut verdict);
    rows::check_deliveries(&history, state, &mut verdict);
    rows::check_observations(&history, state, &mut verdict);
    wire::check_receipts(&history, &mut verdict);
    wire::check_duplicates(&history, &mut verdict);
    history.check_that_something_happened(&mut verdict);
    verdict
}

#[cfg(test)]
mod tests;
