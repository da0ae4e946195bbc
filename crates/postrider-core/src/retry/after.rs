//! What a subscriber asks for in `Retry-After`, read with suspicion.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::answer::Answer;

/// The longest wait that `Retry-After` can cause unless a setting says otherwise: 24 hours.
pub const RETRY_AFTER_CEILING: Duration = Duration::from_secs(24 * 3600);

/// The three date formats of HTTP: today's, and the two obsolete ones that a recipient must still read.
const DATES: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// The longest header that is looked at; the longest valid one has 33 bytes.
const MAX_LENGTH: usize = 64;

/// How long the answer asks us to wait, at most `ceiling`.
///
/// Read are whole seconds and HTTP dates. Anything else is ignored: a sign, a fraction, `NaN`, `inf`, a date in the past, a
/// second header of the name.
pub fn retry_after(answer: &Answer, now: Timestamp, ceiling: Duration) -> Option<Duration> {
    let value = answer.header("retry-after")?.trim_ascii();
    if value.is_empty() || value.len() > MAX_LENGTH {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?;
    let wait = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only a number too large for u64 fails here.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        // Compared as UTC dates, because the last two days of the year 9999, a favourite for "never", are no Timestamp.
        let date = http_date(text)?;
        Duration::try_from(date.duration_since(now.to_zoned(TimeZone::UTC).datetime())).ok()?
    };
    (!wait.is_zero()).then_some(wait.min(ceiling))
}

/// How long the endpoint is to be left alone: a `429` or `503` speaks for all of it, not for one delivery.
pub fn pauses_endpoint(answer: &Answer, now: Timestamp, ceiling: Duration) -> Option<Duration> {
    matches!(answer.status, Some(429 | 503)).then(|| retry_after(answer, now, ceiling)).flatten()
}

fn http_date(text: &str) -> Option<DateTime> {
    DATES.iter().find_map(|format| DateTime::strptime(format, text).ok())
}
