//! The receiver's check of a Standard Webhooks request, with a reason for every refusal.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use jiff::Timestamp;

use super::{MacWriter, Secret, prepared};

/// Why a request is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is nothing to check against.
    #[error("no secret was given to verify with")]
    NoSecret,
    /// `webhook-timestamp` is not a whole number of seconds.
    #[error("webhook-timestamp is not a whole number of seconds")]
    Timestamp,
    /// Signed longer ago than tolerated.
    #[error("webhook-timestamp is {seconds} s in the past; the request is too old")]
    TooOld {
        /// How long ago.
        seconds: u64,
    },
    /// Signed further in the future than tolerated.
    #[error("webhook-timestamp is {seconds} s in the future; compare the clocks")]
    TooNew {
        /// How far ahead.
        seconds: u64,
    },
    /// The header holds no signature of this scheme that could be read.
    #[error("webhook-signature holds no v1 signature")]
    NoSignature,
    /// No signature belongs to these bytes under these secrets.
    #[error("no v1 signature matches: another secret, or the id, timestamp or body were changed")]
    Mismatch,
}

/// Checks the three `webhook-*` header values and the body, which must be the bytes as they came.
///
/// Accepts if any `v1` signature of the header matches under any of the secrets; the comparison takes constant time.
/// Signatures of other schemes are passed over.
pub fn verify(
    secrets: &[Secret],
    id: &str,
    timestamp_text: &str,
    signature_header: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), VerifyError> {
    if secrets.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let digits = timestamp_text.strip_prefix('-').unwrap_or(timestamp_text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::Timestamp);
    }
    let timestamp: i64 = timestamp_text.parse().map_err(|_| VerifyError::Timestamp)?;
    check_age(timestamp, now.as_second(), tolerance.as_secs())?;

    let mut signatures = signature_header.split(' ').filter_map(v1_signature).peekable();
    if signatures.peek().is_none() {
        return Err(VerifyError::NoSignature);
    }
    let macs: Vec<_> = secrets
        .iter()
        .map(|secret| {
            let mut mac = prepared(secret);
            write!(MacWriter(&mut mac), "{id}.{timestamp_text}.")
                .expect("writing to a MAC cannot fail");
            mac.update(body);
            mac
        })
        .collect();
    let mut accepted = false;
    for signature in signatures {
        for mac in &macs {
            accepted |= mac.clone().verify_slice(&signature).is_ok();
        }
    }
    if accepted { Ok(()) } else { Err(VerifyError::Mismatch) }
}

fn check_age(timestamp: i64, now: i64, tolerance: u64) -> Result<(), VerifyError> {
    let seconds = now.abs_diff(timestamp);
    if seconds <= tolerance {
        Ok(())
    } else if timestamp < now {
        Err(VerifyError::TooOld { seconds })
    } else {
        Err(VerifyError::TooNew { seconds })
    }
}

fn v1_signature(token: &str) -> Option<Vec<u8>> {
    STANDARD.decode(token.strip_prefix("v1,")?).ok().filter(|bytes| bytes.len() == 32)
}
