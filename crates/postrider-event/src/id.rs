//! Event ids: derived from a natural key, random, or the caller's own.
//! The derivation is the same as `postrider.event_id_v1`'s, so a service may publish from Rust and SQL side by side.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::{EventType, InvalidEvent};

/// The id of an event, unique within its tenant: `evt_` and 32 hex digits, or the caller's own 1 to 64 characters of
/// `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(String);

impl EventId {
    /// The id of an event that has a natural key: the same type and key always give the same id, so publishing twice is
    /// a no-op.
    ///
    /// It is `evt_` and the first 32 hex digits of SHA-256 over the first part, the type and the remaining parts, joined
    /// with `|`. A `|` or `\` inside a part is escaped with `\`, so `("a|b", "c")` and `("a", "b|c")` differ. Bytes
    /// count: nothing is trimmed, folded or normalised.
    ///
    /// # Errors
    /// `key.syntax` when the key has no part.
    pub fn derive<P: AsRef<str>>(
        event_type: &EventType,
        key: impl IntoIterator<Item = P>,
    ) -> Result<Self, InvalidEvent> {
        let mut parts = key.into_iter();
        let first = parts
            .next()
            .ok_or_else(|| InvalidEvent::new("key", "key.syntax", "must have at least one part"))?;
        let mut hash = Sha256::new();
        hash_escaped(&mut hash, first.as_ref());
        hash.update(b"|");
        hash.update(event_type.as_str());
        for part in parts {
            hash.update(b"|");
            hash_escaped(&mut hash, part.as_ref());
        }
        Ok(Self::from_bytes(&hash.finalize()[..16]))
    }

    /// A random id, for an event without a natural key. Publishing the same [`Event`](crate::Event) value again is
    /// still a duplicate; building the event anew is not.
    #[must_use]
    pub fn random() -> Self {
        Self::from_bytes(&rand::random::<[u8; 16]>())
    }

    /// The caller's own id.
    ///
    /// # Errors
    /// `id.syntax` unless it is 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    pub fn parse(id: impl Into<String>) -> Result<Self, InvalidEvent> {
        let id = id.into();
        check(&id).map(|()| Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self(format!("evt_{}", hex::encode(bytes)))
    }
}

pub(crate) fn check(id: &str) -> Result<(), InvalidEvent> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=64).contains(&id.len()) && id.bytes().all(allowed) {
        Ok(())
    } else {
        Err(InvalidEvent::new("id", "id.syntax", "must be 1 to 64 of A-Z a-z 0-9 _ -"))
    }
}

fn hash_escaped(hash: &mut Sha256, part: &str) {
    for piece in part.split_inclusive(['|', '\\']) {
        match piece.as_bytes() {
            [text @ .., delimiter @ (b'|' | b'\\')] => {
                hash.update(text);
                hash.update([b'\\', *delimiter]);
            }
            text => hash.update(text),
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EventId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl FromStr for EventId {
    type Err = InvalidEvent;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::parse(id)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
