//! What happens to a delivery after an attempt: done, again later, or never again.
//!
//! Takes the schedule, the number of the attempt and its [`Answer`]; returns a [`Verdict`], which the recorder turns into the
//! delivery's next state. Pure: the same delivery and the same answer give the same verdict on every worker.

mod after;
mod schedule;

use std::time::Duration;

use jiff::Timestamp;

use crate::answer::Answer;
use crate::ids::DeliveryId;
use crate::status::ErrorClass;

pub use after::{RETRY_AFTER_CEILING, pauses_endpoint, retry_after};
pub use schedule::{JITTER_PERCENT, MAX_ENTRIES, MAX_WAIT, Schedule};

/// What follows from one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The subscriber has it.
    Delivered,
    /// Another attempt, not before this much time has passed.
    Retry {
        /// Counted from the end of the attempt that was judged.
        after: Duration,
    },
    /// The schedule is spent.
    Exhausted,
    /// No attempt will be accepted, so none follows.
    Rejected {
        /// Stored as the delivery's reason.
        reason: &'static str,
    },
}

impl Verdict {
    /// The word that is recorded as the attempt's outcome.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "retry",
            Self::Exhausted => "exhausted",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// Judges the attempt with this number, counted from 1.
///
/// Rejected are: a forbidden address or unusable URL, a `410`, and a failure whose answer carries `webhook-delivery:
/// abort-message`. Everything else that is not a success is retried by the schedule, a 404 too, because receivers are
/// deployed. `Retry-After` can lengthen a wait, up to `ceiling`, never shorten it, and never add an attempt.
pub fn decide(
    schedule: &Schedule,
    attempt_number: u16,
    delivery: DeliveryId,
    answer: &Answer,
    now: Timestamp,
    ceiling: Duration,
) -> Verdict {
    if answer.is_success() {
        return Verdict::Delivered;
    }
    if let Some(reason) = permanent(answer) {
        return Verdict::Rejected { reason };
    }
    match schedule.delay(attempt_number.max(1), delivery) {
        None => Verdict::Exhausted,
        Some(wait) => Verdict::Retry {
            after: wait.max(retry_after(answer, now, ceiling).unwrap_or_default()),
        },
    }
}

/// Whether the answer asks for no further event at all: `410`, or the response header `webhook-delivery: disable`.
pub fn disables_endpoint(answer: &Answer) -> bool {
    answer.status == Some(410) || says(answer, "disable")
}

fn permanent(answer: &Answer) -> Option<&'static str> {
    match answer.error {
        Some(ErrorClass::BlockedAddress) => return Some("blocked_address"),
        Some(ErrorClass::InvalidUrl) => return Some("invalid_url"),
        _ => {}
    }
    if answer.status == Some(410) {
        return Some("gone");
    }
    says(answer, "abort-message").then_some("aborted_by_receiver")
}

fn says(answer: &Answer, word: &str) -> bool {
    answer
        .header("webhook-delivery")
        .is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests;
