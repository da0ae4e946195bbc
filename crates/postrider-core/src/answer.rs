//! What one attempt brought back, whatever it was.
//!
//! Made by the HTTP client, judged by [`crate::retry::decide`], recorded by the store. A subscriber's 500, a time-out or a
//! bad certificate is an answer too, never a Rust error.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::status::ErrorClass;

/// The most of a response body that is kept.
pub const BODY_LIMIT: usize = 4096;

/// What one attempt brought back.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status line's number; none if no answer came.
    pub status: Option<u16>,
    /// Why the attempt failed; none after a 2xx.
    pub error: Option<ErrorClass>,
    /// The response's headers in their order, names in lower case, values as bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The first [`BODY_LIMIT`] bytes of the response's body, as they came.
    pub body: Vec<u8>,
    /// From the start of the attempt to the last byte that was waited for.
    pub duration: Duration,
    /// The address that was connected to, through a proxy if there is one.
    pub peer: Option<IpAddr>,
    /// What more is known, one of a closed set of words: the rule that refused the address ([`crate::address::Blocked::rule`],
    /// `own_listener`, `other_peer`, `local_name`), or how a body ended before its end (`body_cut`, `body_timeout`, `body_broken`).
    pub detail: Option<&'static str>,
}

impl Answer {
    /// An attempt that ended without any HTTP answer.
    pub fn failed(error: ErrorClass, duration: Duration) -> Self {
        Self {
            status: None,
            error: Some(error),
            headers: Vec::new(),
            body: Vec::new(),
            duration,
            peer: None,
            detail: None,
        }
    }

    /// Whether the subscriber accepted the event: a 2xx status and nothing that went wrong before it.
    pub fn is_success(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The first header of this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }
}

/// Leaves out what a subscriber sent and where it lives: neither belongs in a log.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("error", &self.error)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: Option<u16>, error: Option<ErrorClass>) -> Answer {
        Answer { status, error, ..Answer::failed(ErrorClass::Internal, Duration::ZERO) }
    }

    #[test]
    fn only_a_2xx_without_an_error_is_a_success() {
        for (status, error, expected) in [
            (Some(200), None, true),
            (Some(299), None, true),
            (Some(199), None, false),
            (Some(300), None, false),
            (Some(500), Some(ErrorClass::HttpStatus), false),
            (Some(200), Some(ErrorClass::ResponseTooLarge), false),
            (None, Some(ErrorClass::Timeout), false),
            (None, None, false),
        ] {
            assert_eq!(answer(status, error).is_success(), expected, "{status:?} {error:?}");
        }
    }

    #[test]
    fn debug_shows_neither_body_nor_headers_nor_address() {
        let mut answer = answer(Some(500), Some(ErrorClass::HttpStatus));
        answer.headers.push(("set-cookie".into(), b"canary".to_vec()));
        answer.body = b"canary".to_vec();
        answer.peer = Some(IpAddr::from([192, 0, 2, 77]));
        let text = format!("{answer:?}");
        assert!(
            !text.contains("canary") && !text.contains("cookie") && !text.contains("77"),
            "{text}"
        );
    }
}
