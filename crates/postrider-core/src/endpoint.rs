//! What an endpoint may ask for, field by field: the rules that the command line and the API share.

use std::time::Duration;

use serde_json::Value;

use crate::filter::{FilterError, Subscription};
use crate::input::{InputError, holds_nul};
use crate::ordering::{OnFailure, Ordering};
use crate::retry::Schedule;
use crate::signing::{Profile, SecretKind, is_unsigned};

/// The most event types that one endpoint may list.
pub const MAX_TYPES: usize = 200;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 200;
/// The longest reason, in characters.
pub const MAX_REASON: usize = 200;
/// The largest metadata, in bytes of JSON.
pub const MAX_METADATA: usize = 16 * 1024;

/// Codes: `description.length`, `nul`.
///
/// # Errors
/// When it is too long.
pub fn check_description(text: &str) -> Result<(), InputError> {
    if text.chars().count() > MAX_DESCRIPTION {
        let detail = format!("has more than {MAX_DESCRIPTION} characters");
        return Err(InputError::new("description", "description.length", detail));
    }
    if text.contains('\0') {
        return Err(InputError::new("description", "nul", "must not hold a NUL character"));
    }
    Ok(())
}

/// Why an endpoint is paused, as a person says it. Codes: `reason.length`, `nul`.
///
/// # Errors
/// When it is too long.
pub fn check_reason(text: &str) -> Result<(), InputError> {
    if text.chars().count() > MAX_REASON {
        let detail = format!("has more than {MAX_REASON} characters");
        return Err(InputError::new("reason", "reason.length", detail));
    }
    if text.contains('\0') {
        return Err(InputError::new("reason", "nul", "must not hold a NUL character"));
    }
    Ok(())
}

/// Codes: `type`, `metadata.size`, `nul`.
///
/// # Errors
/// When it is no object, or too large.
pub fn check_metadata(value: &Value) -> Result<(), InputError> {
    if !value.is_object() {
        return Err(InputError::new("metadata", "type", "must be a JSON object"));
    }
    if value.to_string().len() > MAX_METADATA {
        let detail = format!("has more than {MAX_METADATA} bytes");
        return Err(InputError::new("metadata", "metadata.size", detail));
    }
    if holds_nul(value) {
        return Err(InputError::new("metadata", "nul", "must not hold a NUL character"));
    }
    Ok(())
}

/// Event types and filter, compiled once to see that they can be. Codes: `filter.size`, and those of [`Subscription::compile`].
///
/// # Errors
/// When they cannot.
pub fn check_subscription(types: &[String], filter: Option<&Value>) -> Result<(), FilterError> {
    if types.len() > MAX_TYPES {
        let detail = format!("has {} entries; at most {MAX_TYPES} are accepted", types.len());
        return Err(FilterError {
            pointer: "/event_types".to_owned(),
            code: "filter.size",
            detail,
        });
    }
    if filter.is_some_and(holds_nul) {
        let detail = "must not hold a NUL character".to_owned();
        return Err(FilterError { pointer: "/filter".to_owned(), code: "nul", detail });
    }
    Subscription::compile(types, filter).map(drop)
}

/// The waits of a schedule as they are stored, in milliseconds. Codes: `schedule.count`, `schedule.range`.
///
/// # Errors
/// When there is none, or one is longer than can be stored.
pub fn schedule_ms(schedule: &Schedule) -> Result<Vec<i32>, InputError> {
    let whole = |(index, wait): (usize, &Duration)| {
        i32::try_from(wait.as_millis()).map_err(|_| {
            let field = format!("retry_schedule[{index}]");
            InputError::new(field, "schedule.range", "a wait must be 1ms to 7d")
        })
    };
    let waits: Vec<i32> =
        schedule.waits().iter().enumerate().map(whole).collect::<Result<_, _>>()?;
    if waits.is_empty() {
        let detail = "must have at least one wait";
        return Err(InputError::new("retry_schedule", "schedule.count", detail));
    }
    Ok(waits)
}

/// The time for one attempt as it is stored. Code: `timeout.range`.
///
/// # Errors
/// When it is out of range.
pub fn timeout_ms(time: Option<Duration>) -> Result<i32, InputError> {
    let ms = time.and_then(|time| i32::try_from(time.as_millis()).ok());
    ms.filter(|ms| (100..=30_000).contains(ms)).ok_or_else(|| {
        InputError::new("timeout", "timeout.range", "must be 100ms to 30s, with its unit")
    })
}

/// The requests in flight at once as they are stored. Code: `max_in_flight.range`.
///
/// # Errors
/// When the number is out of range.
pub fn max_in_flight(number: Option<i64>) -> Result<i32, InputError> {
    ranged("max_in_flight", "max_in_flight.range", number, 1_000)
}

/// The requests a second as they are stored. Code: `rate_limit.range`.
///
/// # Errors
/// When the number is out of range.
pub fn rate_limit(number: Option<i64>) -> Result<i32, InputError> {
    ranged("rate_limit", "rate_limit.range", number, 100_000)
}

fn ranged(
    field: &'static str,
    code: &'static str,
    number: Option<i64>,
    most: i32,
) -> Result<i32, InputError> {
    let number = number.and_then(|number| i32::try_from(number).ok());
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| InputError::new(field, code, format!("must be 1 to {most}")))
}

/// The order in which it is sent to, and what a failure does to those behind it: what is not given stays as it was.
/// Code: `on_failure.without_order`.
///
/// # Errors
/// When something is to be skipped without an order.
pub fn order(
    ordering: Option<Ordering>,
    on_failure: Option<OnFailure>,
    was: (Ordering, OnFailure),
) -> Result<Option<(Ordering, OnFailure)>, InputError> {
    if ordering.is_none() && on_failure.is_none() {
        return Ok(None);
    }
    let ordering = ordering.unwrap_or(was.0);
    let on_failure = match on_failure {
        Some(given) => given,
        // Without an order nobody waits for anybody.
        None if ordering == Ordering::None => OnFailure::Block,
        None => was.1,
    };
    if ordering == Ordering::None && on_failure != OnFailure::Block {
        let detail = "nothing is skipped without an order; name one with ordering";
        return Err(InputError::new("on_failure", "on_failure.without_order", detail));
    }
    Ok(Some((ordering, on_failure)))
}

/// In a batch all start at once; in an order each waits for the one before it. Code: `batch.ordered`.
///
/// # Errors
/// When both are asked for.
pub fn check_batch_or_order(batched: bool, ordering: Ordering) -> Result<(), InputError> {
    if batched && ordering != Ordering::None {
        let detail = "events in order are sent one by one; choose either ordering or batches";
        return Err(InputError::new("batch", "batch.ordered", detail));
    }
    Ok(())
}

/// Every request has a signature: an opaque secret writes none of its own, and a profile none with a key pair.
/// Codes: `signing.unsigned`, `signing.secret`.
///
/// # Errors
/// When requests would go without.
pub fn check_signed(kinds: &[SecretKind], profiles: &[Profile]) -> Result<(), InputError> {
    if is_unsigned(kinds.iter().copied(), profiles) {
        let detail = "an opaque secret signs profiles only; name one in signing";
        return Err(InputError::new("signing", "signing.unsigned", detail));
    }
    if !profiles.is_empty() && !kinds.iter().any(|kind| *kind != SecretKind::Ed25519) {
        let detail =
            "a profile is signed with a standard or an opaque secret; rotate one in beside it";
        return Err(InputError::new("signing", "signing.secret", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_bounds() {
        assert_eq!(max_in_flight(Some(1)), Ok(1));
        assert_eq!(max_in_flight(Some(1000)), Ok(1000));
        assert_eq!(rate_limit(Some(100_000)), Ok(100_000));
        for wrong in [None, Some(0), Some(-1), Some(1001), Some(i64::MAX)] {
            assert_eq!(max_in_flight(wrong).unwrap_err().code, "max_in_flight.range", "{wrong:?}");
        }
        assert_eq!(timeout_ms(Some(Duration::from_millis(100))), Ok(100));
        for wrong in
            [None, Some(Duration::ZERO), Some(Duration::from_secs(31)), Some(Duration::MAX)]
        {
            assert_eq!(timeout_ms(wrong).unwrap_err().code, "timeout.range");
        }
    }

    #[test]
    fn an_order_keeps_what_is_not_given() {
        let was = (Ordering::Key, OnFailure::parse("skip:3").unwrap());
        assert_eq!(order(None, None, was), Ok(None));
        assert_eq!(
            order(Some(Ordering::Endpoint), None, was),
            Ok(Some((Ordering::Endpoint, was.1)))
        );
        assert_eq!(
            order(Some(Ordering::None), None, was),
            Ok(Some((Ordering::None, OnFailure::Block)))
        );
        let none = (Ordering::None, OnFailure::Block);
        assert_eq!(order(None, Some(was.1), none).unwrap_err().code, "on_failure.without_order");
    }
}
