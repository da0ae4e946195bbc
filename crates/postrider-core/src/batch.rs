//! Several events of one endpoint in one request: what an endpoint may ask for, and the decisions that follow from it.
//!
//! [`form`] says which deliveries go together and when, [`body`] puts their bodies together, and [`read_outcomes`] reads what a
//! receiver said of each. The id of a batch is `ids::BatchId`; leasing and recording are the workers' and the store's.

mod body;
mod form;
mod outcomes;

use std::time::Duration;

use crate::format::Format;
use crate::input::InputError;

pub use body::{body, content_type, item_bytes};
pub use form::{Candidate, Formed, Request, form};
pub use outcomes::{Said, Verdicts, read_outcomes};

/// The most events in one request.
pub const MOST_EVENTS: u16 = 500;
/// The longest that the first event of a batch can be made to wait for others.
pub const MOST_WAIT: Duration = Duration::from_secs(60);
/// The smallest and the largest limit of a body, in bytes.
pub const LEAST_BYTES: u32 = 1024;
/// See [`LEAST_BYTES`].
pub const MOST_BYTES: u32 = 4 << 20;

/// How a batch is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A JSON array.
    #[default]
    Array,
    /// One JSON text a line, each line ended.
    Ndjson,
}

impl Encoding {
    /// The word for it, in the table and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Ndjson => "ndjson",
        }
    }

    /// Reads the word. Code: `batch.encoding`.
    ///
    /// # Errors
    /// When it is another word.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        [Self::Array, Self::Ndjson]
            .into_iter()
            .find(|encoding| encoding.as_str() == text)
            .ok_or_else(|| {
                InputError::new("batch.encoding", "batch.encoding", "must be array or ndjson")
            })
    }
}

/// What an endpoint asks for. A request has no more than `max_events` events and its body no more than `max_bytes` bytes, unless a
/// single event has; it leaves when one of both is reached, or when its oldest event has waited for `max_wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPolicy {
    // 1 to MOST_EVENTS.
    max_events: u16,
    // At most MOST_WAIT, in whole milliseconds.
    max_wait: Duration,
    // LEAST_BYTES to MOST_BYTES.
    max_bytes: u32,
    encoding: Encoding,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        Self {
            max_events: 100,
            max_wait: Duration::from_secs(1),
            max_bytes: 1 << 20,
            encoding: Encoding::Array,
        }
    }
}

impl BatchPolicy {
    /// Checks the limits. Code: `batch.range`, at the field that is out of range.
    ///
    /// # Errors
    /// When one is out of its range.
    pub fn new(
        max_events: i64,
        max_wait: Duration,
        max_bytes: i64,
        encoding: Encoding,
    ) -> Result<Self, InputError> {
        let refused = |field: &str, detail: String| {
            InputError::new(format!("batch.{field}"), "batch.range", detail)
        };
        let events = u16::try_from(max_events).ok().filter(|n| (1..=MOST_EVENTS).contains(n));
        let bytes =
            u32::try_from(max_bytes).ok().filter(|n| (LEAST_BYTES..=MOST_BYTES).contains(n));
        Ok(Self {
            max_events: events
                .ok_or_else(|| refused("max_events", format!("must be 1 to {MOST_EVENTS}")))?,
            max_wait: Some(max_wait)
                .filter(|wait| *wait <= MOST_WAIT && wait.subsec_nanos() % 1_000_000 == 0)
                .ok_or_else(|| {
                    refused("max_wait", "must be 0ms to 60s, with its unit".to_owned())
                })?,
            max_bytes: bytes.ok_or_else(|| {
                refused("max_bytes", format!("must be {LEAST_BYTES} to {MOST_BYTES}"))
            })?,
            encoding,
        })
    }

    /// The most events in one request.
    #[must_use]
    pub fn max_events(&self) -> u16 {
        self.max_events
    }

    /// How long the oldest event waits for others at most.
    #[must_use]
    pub fn max_wait(&self) -> Duration {
        self.max_wait
    }

    /// The most bytes of a body with more than one event.
    #[must_use]
    pub fn max_bytes(&self) -> u32 {
        self.max_bytes
    }

    /// How the body is written.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }
}

/// How the batches of an endpoint are made: what it asks for, and how its events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchManner {
    pub policy: BatchPolicy,
    pub format: Format,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(events: i64, wait_ms: u64, bytes: i64) -> Result<BatchPolicy, InputError> {
        BatchPolicy::new(events, Duration::from_millis(wait_ms), bytes, Encoding::Array)
    }

    #[test]
    fn limits_are_held_to_their_ranges() {
        for (events, wait, bytes) in [(1, 0, 1024), (500, 60_000, 4 << 20), (100, 1_000, 1 << 20)] {
            assert!(policy(events, wait, bytes).is_ok(), "{events} {wait} {bytes}");
        }
        for (events, wait, bytes, field) in [
            (0, 0, 1024, "batch.max_events"),
            (501, 0, 1024, "batch.max_events"),
            (-1, 0, 1024, "batch.max_events"),
            (70_000, 0, 1024, "batch.max_events"),
            (1, 60_001, 1024, "batch.max_wait"),
            (1, 0, 1023, "batch.max_bytes"),
            (1, 0, (4 << 20) + 1, "batch.max_bytes"),
        ] {
            let refusal = policy(events, wait, bytes).unwrap_err();
            assert_eq!((refusal.field.as_str(), refusal.code), (field, "batch.range"));
        }
    }

    #[test]
    fn the_default_is_a_policy_that_may_be_asked_for() {
        let known = BatchPolicy::default();
        let again = BatchPolicy::new(
            known.max_events().into(),
            known.max_wait(),
            known.max_bytes().into(),
            known.encoding(),
        );
        assert_eq!(again, Ok(known));
    }

    #[test]
    fn encodings_are_read_as_they_are_written() {
        for encoding in [Encoding::Array, Encoding::Ndjson] {
            assert_eq!(Encoding::parse(encoding.as_str()), Ok(encoding));
        }
        assert_eq!(Encoding::parse("json").unwrap_err().code, "batch.encoding");
    }
}
