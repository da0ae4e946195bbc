//! Whether something is asked again, and after how long. Pure: what happened comes in, a pause or none goes out.

use std::time::Duration;

use http::{Method, StatusCode};

/// How often something is asked again.
pub(crate) const MOST_RETRIES: u32 = 3;
/// A longer wait is the caller's to decide.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried<'a> {
    /// The connection was refused or lost.
    Lost,
    /// An answer, with the code of its problem and the seconds in its `Retry-After`.
    Answered { status: StatusCode, code: &'a str, retry_after: Option<u64> },
}

/// The pause before the next try, the first being number 0; `None`: that was the last.
pub(crate) fn pause(
    number: u32,
    method: &Method,
    has_key: bool,
    tried: Tried<'_>,
) -> Option<Duration> {
    let safe = method == Method::GET || has_key;
    if !safe || number >= MOST_RETRIES {
        return None;
    }
    match tried {
        Tried::Lost => Some(Duration::from_millis(200 << number)),
        Tried::Answered { status, code, retry_after: Some(seconds) } => {
            let again = status == StatusCode::TOO_MANY_REQUESTS
                || status == StatusCode::SERVICE_UNAVAILABLE
                || code == "idempotency_key.under_way";
            let wait = Duration::from_secs(seconds);
            (again && wait <= MOST_WAIT).then_some(wait)
        }
        Tried::Answered { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_is_asked_again_and_not_for_ever() {
        let answered = |status, code, retry_after| Tried::Answered {
            status: StatusCode::from_u16(status).unwrap_or_default(),
            code,
            retry_after,
        };
        let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let cases = [
            (0, &get, false, Tried::Lost, Some(Duration::from_millis(200))),
            (2, &get, false, Tried::Lost, Some(Duration::from_millis(800))),
            (3, &get, false, Tried::Lost, None),
            (0, &post, true, Tried::Lost, Some(Duration::from_millis(200))),
            (0, &post, false, Tried::Lost, None),
            (0, &patch, false, Tried::Lost, None),
            (0, &get, false, answered(503, "database.busy", Some(1)), seconds(1)),
            (0, &post, true, answered(429, "rate", Some(30)), seconds(30)),
            (0, &post, true, answered(429, "rate", Some(31)), None),
            (0, &post, true, answered(503, "publish.disabled", None), None),
            (0, &post, true, answered(409, "idempotency_key.under_way", Some(1)), seconds(1)),
            (0, &post, true, answered(409, "delivery.in_flight", Some(5)), None),
            (0, &patch, false, answered(503, "database.busy", Some(1)), None),
            (0, &get, false, answered(500, "internal", Some(1)), None),
        ];
        for (number, method, has_key, tried, expected) in cases {
            assert_eq!(
                pause(number, method, has_key, tried),
                expected,
                "{number} {method} {tried:?}"
            );
        }
    }
}
