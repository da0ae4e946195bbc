//! Raw bytes → what we keep of a message. Pure: no I/O, no clock.
//! Reads RFC 5322 with `mail-parser`, which takes broken mail as it comes. `intake` stores and publishes the result.

use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mail_parser::{Address, DateTime, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Longest text that goes into an event; a subscriber who needs more asks for the message.
const TEXT_PREVIEW: usize = 2_000;
/// Longest header value that is kept. RFC 5322 allows lines of 998.
const HEADER_LIMIT: usize = 998;
/// Longest address that is kept; SMTP allows 254.
const ADDRESS_LIMIT: usize = 320;
/// Longest message id that is kept as it stands; a longer one is replaced as if it were missing.
const ID_LIMIT: usize = 250;
/// Recipients and attachments beyond this number are counted, not listed.
const LIST_LIMIT: usize = 50;

/// A message, parsed. Everything is valid UTF-8 without NUL, so PostgreSQL takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// `Message-ID` without its brackets, or `<sha256>@sha256.invalid` made from the bytes where there is none.
    pub message_id: String,
    /// The first message of the thread, which is this one if it answers nothing.
    pub conversation_id: String,
    /// The sender's address.
    pub from: Option<String>,
    /// Addresses in `To` and `Cc`, the first fifty of them.
    pub to: Vec<String>,
    /// The decoded subject.
    pub subject: Option<String>,
    /// When the sender says it was written, if the header holds a date.
    pub date: Option<DateTime>,
    /// The text body in full; where there is only HTML, its text.
    pub text: String,
    /// Attachments, the first fifty of them.
    pub attachments: Vec<Attachment>,
    /// What kind of mail this is: `attachment`, `bounce`, `calendar`, `list`, `reply`.
    pub labels: Vec<&'static str>,
    /// SHA-256 of the raw bytes, in hex.
    pub raw_sha256: String,
    /// Length of the raw bytes.
    pub raw_size: usize,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attachment {
    /// The name the sender gave it.
    pub name: Option<String>,
    /// Its type, such as `image/png`.
    pub content_type: String,
    /// Its length after decoding.
    pub bytes: usize,
}

/// The bytes hold none of the headers that make a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a mail message: no From, To, Subject, Date or Message-ID")]
pub struct NotMail;

/// What the event carries: the same for every copy of a message, whichever way it came.
#[derive(Serialize)]
struct Summary<'a> {
    message_id: &'a str,
    conversation_id: &'a str,
    from: Option<&'a str>,
    to: &'a [String],
    subject: Option<&'a str>,
    date: Option<String>,
    text_preview: &'a str,
    text_bytes: usize,
    attachments: &'a [Attachment],
}

impl Mail {
    /// Parses a raw message. Broken MIME is no error: what can be read is kept.
    /// Fails where the bytes are something else, such as a picture.
    pub fn parse(raw: &[u8]) -> Result<Self, NotMail> {
        let message = MessageParser::default().parse(raw).ok_or(NotMail)?;
        let known = ["From", "To", "Subject", "Date", "Message-ID"];
        if !known.into_iter().any(|name| message.header(name).is_some()) {
            return Err(NotMail);
        }
        let raw_sha256 = hex::encode(Sha256::digest(raw));
        let message_id = message
            .message_id()
            .and_then(usable_id)
            .unwrap_or_else(|| format!("{raw_sha256}@sha256.invalid"));
        let attachments: Vec<_> =
            message.attachments().take(LIST_LIMIT).map(Attachment::of).collect();
        Ok(Self {
            conversation_id: thread_root(&message).unwrap_or_else(|| message_id.clone()),
            message_id,
            from: addresses([message.from()]).into_iter().next(),
            to: addresses([message.to(), message.cc()]),
            subject: message.subject().map(|subject| clean(subject, HEADER_LIMIT)),
            date: message.date().copied().filter(is_real_date),
            text: message.body_text(0).map(|text| clean(&text, usize::MAX)).unwrap_or_default(),
            labels: labels(&message, &attachments),
            attachments,
            raw_sha256,
            raw_size: raw.len(),
        })
    }

    /// The mailbox it was written to: its first recipient, in lower case.
    pub fn mailbox(&self) -> Option<String> {
        self.to.first().map(|address| address.to_lowercase())
    }

    /// The event's `data`.
    pub fn summary(&self) -> impl Serialize + '_ {
        Summary {
            message_id: &self.message_id,
            conversation_id: &self.conversation_id,
            from: self.from.as_deref(),
            to: &self.to,
            subject: self.subject.as_deref(),
            date: self.date.as_ref().map(DateTime::to_rfc3339),
            text_preview: prefix(&self.text, TEXT_PREVIEW),
            text_bytes: self.text.len(),
            attachments: &self.attachments,
        }
    }

    /// The date as a point in time, for a `timestamptz` column.
    pub fn sent_at(&self) -> Option<SystemTime> {
        let seconds = self.date.as_ref()?.to_timestamp();
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        }
    }
}

impl Attachment {
    fn of(part: &MessagePart<'_>) -> Self {
        let content_type = match (part.content_type(), &part.body) {
            (Some(kind), _) => match kind.subtype() {
                Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                None => kind.ctype().to_owned(),
            },
            (None, PartType::Message(_)) => "message/rfc822".to_owned(),
            (None, _) => "application/octet-stream".to_owned(),
        };
        Self {
            name: part.attachment_name().map(|name| clean(name, HEADER_LIMIT)),
            content_type: clean(&content_type.to_lowercase(), HEADER_LIMIT),
            bytes: part.len(),
        }
    }
}

fn labels(message: &Message<'_>, attachments: &[Attachment]) -> Vec<&'static str> {
    let of_type = |kind: &str, subtype: &str| {
        message.parts.iter().any(|part| part.is_content_type(kind, subtype))
    };
    let rules = [
        ("attachment", !attachments.is_empty()),
        ("bounce", of_type("message", "delivery-status")),
        ("calendar", of_type("text", "calendar")),
        ("list", message.header("List-Id").is_some()),
        ("reply", message.header("In-Reply-To").is_some()),
    ];
    rules.into_iter().filter_map(|(label, applies)| applies.then_some(label)).collect()
}

/// The thread starts with the first of `References`, else with what this answers.
fn thread_root(message: &Message<'_>) -> Option<String> {
    [message.references(), message.in_reply_to()].into_iter().find_map(|header| {
        let first = match header.as_text_list() {
            Some(list) => list.first()?.as_ref(),
            None => header.as_text()?,
        };
        usable_id(first)
    })
}

fn usable_id(id: &str) -> Option<String> {
    let id = id.trim();
    is_token(id, ID_LIMIT).then(|| id.to_owned())
}

/// Something to store and compare as it stands: not empty, not endless, without blanks and control characters.
fn is_token(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn addresses<'a>(lists: impl IntoIterator<Item = Option<&'a Address<'a>>>) -> Vec<String> {
    let everyone = lists.into_iter().flatten().flat_map(Address::iter);
    everyone
        .filter_map(|person| person.address())
        .filter(|address| is_token(address, ADDRESS_LIMIT))
        .map(str::to_owned)
        .take(LIST_LIMIT)
        .collect()
}

/// `Date: Thu, 99 Foo 2026` is parsed into a date too.
fn is_real_date(date: &DateTime) -> bool {
    date.is_valid() && (1..=9999).contains(&date.year)
}

/// Replaces what PostgreSQL's `text` cannot hold and cuts at `limit` bytes.
fn clean(text: &str, limit: usize) -> String {
    prefix(text, limit).replace('\0', "\u{fffd}")
}

/// The longest start of `text` that has at most `limit` bytes and splits no character.
fn prefix(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// One line for people: who wrote, and what about.
impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.from.as_deref().unwrap_or("(no sender)"))?;
        f.write_str("  ")?;
        for c in self.subject.as_deref().unwrap_or("(no subject)").chars().take(60) {
            f.write_char(if c.is_control() { ' ' } else { c })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
