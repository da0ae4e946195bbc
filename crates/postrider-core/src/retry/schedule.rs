//! The waits between attempts, with their jitter.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::ids::DeliveryId;
use crate::input::{InputError, shown};

/// The most waits that a schedule may have.
pub const MAX_ENTRIES: usize = 30;

/// The shortest single wait: what [`Schedule::to_texts`] can still write.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// The longest single wait.
pub const MAX_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A wait is lengthened or shortened by at most this many hundredths.
pub const JITTER_PERCENT: u32 = 10;

const FIELD: &str = "retry_schedule";
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The waits before the second, third, … attempt.
///
/// The first attempt is made at once and is not in the list: n waits allow n + 1 attempts, an empty list allows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(
    // At most MAX_ENTRIES, each from MIN_WAIT to MAX_WAIT.
    Vec<Duration>,
);

impl Default for Schedule {
    /// Ten attempts over 75 h 35 min: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h.
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let seconds = [
            5,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Self(seconds.into_iter().map(Duration::from_secs).collect())
    }
}

impl Schedule {
    /// Takes a list of waits. Codes: `schedule.count`, `schedule.range`.
    pub fn new(waits: Vec<Duration>) -> Result<Self, InputError> {
        if waits.len() > MAX_ENTRIES {
            let detail = format!("has {} waits; at most {MAX_ENTRIES} are allowed", waits.len());
            return Err(InputError::new(FIELD, "schedule.count", detail));
        }
        for (index, wait) in waits.iter().enumerate() {
            if *wait < MIN_WAIT || *wait > MAX_WAIT {
                return Err(InputError::new(
                    format!("{FIELD}[{index}]"),
                    "schedule.range",
                    "a wait must be 1ms to 7d; the first attempt is made at once and is not listed",
                ));
            }
        }
        Ok(Self(waits))
    }

    /// Reads texts such as `5s`, `5m`, `2h`: a whole number and one of ms, s, m, h, d.
    ///
    /// Codes: `schedule.syntax`, `schedule.range`, `schedule.count`; the field names the entry.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, InputError> {
        let mut waits = Vec::with_capacity(texts.len().min(MAX_ENTRIES + 1));
        for (index, text) in texts.iter().enumerate().take(MAX_ENTRIES + 1) {
            waits.push(parse_wait(text.as_ref()).ok_or_else(|| {
                InputError::new(
                    format!("{FIELD}[{index}]"),
                    "schedule.syntax",
                    format!(
                        "{:?} is not a wait; write a whole number and a unit (ms, s, m, h, d), such as 30s or 2h",
                        shown(text.as_ref())
                    ),
                )
            })?);
        }
        Self::new(waits)
    }

    /// The waits as [`Schedule::parse`] reads them, each in its largest exact unit.
    pub fn to_texts(&self) -> Vec<String> {
        self.0.iter().map(|wait| wait_text(*wait)).collect()
    }

    /// The waits without jitter.
    pub fn waits(&self) -> &[Duration] {
        &self.0
    }

    /// How many attempts this schedule allows.
    pub fn attempts(&self) -> u16 {
        u16::try_from(self.0.len() + 1).unwrap_or(u16::MAX)
    }

    /// How long to wait after this many attempts; none when no further attempt is allowed, zero before the first.
    ///
    /// The jitter spreads deliveries that failed together over ±[`JITTER_PERCENT`] of the wait. It is drawn from SHA-256 over
    /// the delivery's 16 id bytes and the number of attempts as two big-endian bytes: the first eight bytes of the digest, as
    /// a big-endian number modulo 200,001, give millionths to add to 900,000. So every worker computes the same due
    /// time for a delivery, and anybody can compute it again.
    pub fn delay(&self, attempts_made: u16, delivery: DeliveryId) -> Option<Duration> {
        let Some(index) = usize::from(attempts_made).checked_sub(1) else {
            return Some(Duration::ZERO);
        };
        let wait = self.0.get(index)?;
        let mut hash = Sha256::new();
        hash.update(delivery.0.as_bytes());
        hash.update(attempts_made.to_be_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&hash.finalize()[..8]);
        let spread = JITTER_PERCENT * 10_000;
        let millionths =
            u64::from(1_000_000 - spread) + u64::from_be_bytes(head) % u64::from(2 * spread + 1);
        // At most 7 days of nanoseconds times 1.1 million: 6.7e20, which u128 holds; the quotient fits u64.
        let nanos = wait.as_nanos() * u128::from(millionths) / 1_000_000;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

fn parse_wait(text: &str) -> Option<Duration> {
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    // More digits than u64 holds are out of range, not out of syntax.
    let number: u64 = if number.len() > 19 { u64::MAX } else { number.parse().ok()? };
    Some(Duration::from_millis(number.saturating_mul(*millis)))
}

fn wait_text(wait: Duration) -> String {
    let millis = wait.as_millis();
    let (name, unit) = UNITS
        .iter()
        .rev()
        .find(|(_, unit)| millis.is_multiple_of(u128::from(*unit)))
        .expect("every number is a multiple of the smallest unit, 1");
    format!("{}{name}", millis / u128::from(*unit))
}
