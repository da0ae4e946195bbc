//! Names of events: dotted words, checked at compile time when declared and at run time when parsed.
//! Reads nothing. Next: `catalog.rs`, which declares whole lists of them.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::InvalidEvent;
use crate::catalog::EMAIL_EVENTS;

/// The longest name of an event type, in characters.
pub const MAX_EVENT_TYPE_LENGTH: usize = 128;

const SYNTAX: &str = "must be dotted words of A-Z a-z 0-9 _";
const LENGTH: &str = "longer than 128 characters";

/// The type of an event: dotted words of `A-Z a-z 0-9 _`, such as `email.received`. Case counts.
///
/// Types known when the program is written are declared with [`event_types!`](crate::event_types) and checked by the
/// compiler; a name that arrives at run time goes through [`EventType::parse`].
#[derive(Clone)]
pub struct EventType {
    /// Always of valid syntax: only `declared` and `parse` make one.
    name: Cow<'static, str>,
    description: &'static str,
}

impl EventType {
    /// The built-in catalog: the types that an e-mail service publishes.
    pub const ALL: &'static [EventType] = EMAIL_EVENTS;

    /// Whether `name` is in the built-in catalog. Other names are no mistake: see [`EventType::parse`].
    #[must_use]
    pub fn is_valid(name: &str) -> bool {
        Self::ALL.iter().any(|known| known == name)
    }

    /// A type whose name is known only at run time.
    ///
    /// # Errors
    /// `event_type.syntax` and `event_type.length`. Patterns such as `email.*` are for filters, never for an event.
    pub fn parse(name: impl Into<String>) -> Result<Self, InvalidEvent> {
        let name = name.into();
        match fault(&name) {
            None => Ok(Self { name: Cow::Owned(name), description: "" }),
            Some(Fault::Syntax) => Err(InvalidEvent::new("type", "event_type.syntax", SYNTAX)),
            Some(Fault::Length) => Err(InvalidEvent::new("type", "event_type.length", LENGTH)),
        }
    }

    /// What [`event_types!`](crate::event_types) expands to. It panics on a bad name, which in a constant is a
    /// compile error.
    #[doc(hidden)]
    #[must_use]
    pub const fn declared(name: &'static str, description: &'static str) -> Self {
        match fault(name) {
            None => {}
            Some(Fault::Syntax) => panic!("event type: must be dotted words of A-Z a-z 0-9 _"),
            Some(Fault::Length) => panic!("event type: longer than 128 characters"),
        }
        Self { name: Cow::Borrowed(name), description: description.trim_ascii() }
    }

    /// The name, such as `email.received`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The doc comment it was declared with; empty for a parsed type.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.description
    }
}

enum Fault {
    Syntax,
    Length,
}

/// The grammar `[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*`, as a const fn so that a declared name is checked by the compiler.
const fn fault(name: &str) -> Option<Fault> {
    let bytes = name.as_bytes();
    if character_count(bytes) > MAX_EVENT_TYPE_LENGTH {
        return Some(Fault::Length);
    }
    let mut i = 0;
    let mut in_word = false;
    while i < bytes.len() {
        match bytes[i] {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' => in_word = true,
            b'.' if in_word => in_word = false,
            _ => return Some(Fault::Syntax),
        }
        i += 1;
    }
    if in_word { None } else { Some(Fault::Syntax) }
}

/// Characters and not bytes, as PostgreSQL counts, so that both name the same fault.
const fn character_count(utf8: &[u8]) -> usize {
    let mut i = 0;
    let mut count = 0;
    while i < utf8.len() {
        if utf8[i] & 0b1100_0000 != 0b1000_0000 {
            count += 1;
        }
        i += 1;
    }
    count
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

impl AsRef<str> for EventType {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

// Two types are the same when their names are; the description is only for readers.
impl PartialEq for EventType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for EventType {}

impl PartialEq<str> for EventType {
    fn eq(&self, other: &str) -> bool {
        self.name == other
    }
}

impl PartialEq<&str> for EventType {
    fn eq(&self, other: &&str) -> bool {
        self.name == *other
    }
}

impl Hash for EventType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
