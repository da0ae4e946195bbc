//! The body that an endpoint asked for, rendered from the stored envelope.
//!
//! Nothing is parsed and nothing is written anew: the parts of the envelope are cut out and put together, so that `data` keeps
//! the producer's bytes and every attempt has the same ones. Read by the request builder of the destinations.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// How an endpoint wants events written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The envelope as it is stored: `{"event", "id", "created_at", "data"}`.
    #[default]
    Postrider,
    /// Standard Webhooks: `{"type", "timestamp", "data"}`.
    Standard,
    /// CloudEvents 1.0, structured JSON.
    CloudEvents,
    /// `data` alone.
    Raw,
}

/// The text is no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be postrider, standard, cloudevents or raw")]
pub struct UnknownFormat;

/// The stored envelope is none; publishing rules that out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored envelope cannot be read")]
pub struct NoEnvelope;

impl Format {
    /// Every format, in the order in which they are shown.
    pub const ALL: &'static [Self] =
        &[Self::Postrider, Self::Standard, Self::CloudEvents, Self::Raw];

    /// The one text of this format, as it is stored and given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postrider => "postrider",
            Self::Standard => "standard",
            Self::CloudEvents => "cloudevents",
            Self::Raw => "raw",
        }
    }

    /// The request's `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Postrider | Self::Standard | Self::Raw => "application/json",
            Self::CloudEvents => "application/cloudevents+json; charset=utf-8",
        }
    }

    /// The body of a tenant's event. Borrowed where it is a part of the envelope.
    ///
    /// # Errors
    /// When the bytes are no envelope of ours.
    pub fn render<'a>(self, tenant: &str, envelope: &'a [u8]) -> Result<Cow<'a, [u8]>, NoEnvelope> {
        if self == Self::Postrider {
            return Ok(Cow::Borrowed(envelope));
        }
        let parts = Parts::of(envelope).ok_or(NoEnvelope)?;
        let Parts { event, id, created_at, data } = parts;
        let head = match self {
            Self::Raw => return Ok(Cow::Borrowed(data)),
            Self::Standard => {
                format!(r#"{{"type":"{event}","timestamp":"{created_at}","data":"#)
            }
            // A tenant's letters are all allowed in a URI reference as they are.
            _ => format!(
                r#"{{"specversion":"1.0","id":"{id}","source":"/postrider/{tenant}","type":"{event}","time":"{created_at}","datacontenttype":"application/json","data":"#
            ),
        };
        Ok(Cow::Owned([head.as_bytes(), data, b"}"].concat()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.iter().copied().find(|format| format.as_str() == text).ok_or(UnknownFormat)
    }
}

/// The parts of an envelope, each as it stands there. None of the first three can hold a quote or a backslash.
struct Parts<'a> {
    event: &'a str,
    id: &'a str,
    created_at: &'a str,
    data: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(envelope: &'a [u8]) -> Option<Self> {
        let rest = envelope.strip_prefix(br#"{"event":""#)?;
        let (event, rest) = until(rest, br#"","id":""#)?;
        let (id, rest) = until(rest, br#"","created_at":""#)?;
        let (created_at, rest) = until(rest, br#"","data":"#)?;
        Some(Self { event, id, created_at, data: rest.strip_suffix(b"}")? })
    }
}

/// Splits at the next quote, which must begin `mark`.
fn until<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a str, &'a [u8])> {
    let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let (text, rest) = bytes.split_at(end);
    Some((std::str::from_utf8(text).ok()?, rest.strip_prefix(mark)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{ "b":1E2, "a":"\ud83e\udd94 Grüße", "a":"\",\"data\":" }"#;

    fn envelope() -> Vec<u8> {
        format!(r#"{{"event":"email.sent","id":"evt_1","created_at":"2026-11-21T13:00:00.000001Z","data":{DATA}}}"#).into_bytes()
    }

    fn rendered(format: Format) -> String {
        let envelope = envelope();
        String::from_utf8(format.render("acme", &envelope).unwrap().into_owned()).unwrap()
    }

    #[test]
    fn every_format_keeps_the_bytes_of_data() {
        assert_eq!(rendered(Format::Postrider).as_bytes(), envelope());
        assert_eq!(rendered(Format::Raw), DATA);
        assert_eq!(
            rendered(Format::Standard),
            format!(
                r#"{{"type":"email.sent","timestamp":"2026-11-21T13:00:00.000001Z","data":{DATA}}}"#
            )
        );
        assert_eq!(
            rendered(Format::CloudEvents),
            format!(
                r#"{{"specversion":"1.0","id":"evt_1","source":"/postrider/acme","type":"email.sent","time":"2026-11-21T13:00:00.000001Z","datacontenttype":"application/json","data":{DATA}}}"#
            )
        );
        for format in Format::ALL {
            assert_eq!(rendered(*format), rendered(*format), "{format}");
            serde_json::from_str::<serde_json::Value>(&rendered(*format)).expect("it is JSON");
        }
    }

    #[test]
    fn data_may_be_any_value_with_any_white_space() {
        for data in ["null", " [1,\n2] ", "\"}\"", "-0.0", "true"] {
            let envelope = format!(r#"{{"event":"a","id":"b","created_at":"c","data":{data}}}"#);
            let raw = Format::Raw.render("t", envelope.as_bytes()).unwrap();
            assert_eq!(raw.as_ref(), data.as_bytes());
        }
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        for text in
            ["", "{}", r#"{"event":"a"}"#, r#"{"event":"a\"","id":"b","created_at":"c","data":1}"#]
        {
            assert_eq!(Format::Raw.render("t", text.as_bytes()), Err(NoEnvelope), "{text}");
        }
    }

    #[test]
    fn every_word_reads_back_and_no_other() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(*format));
        }
        assert_eq!("Raw".parse::<Format>(), Err(UnknownFormat));
    }
}
