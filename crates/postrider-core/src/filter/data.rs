//! An event's data, read once per event into a tree that clauses walk without allocating.

mod reader;

use std::cmp::Ordering;

use super::Scalar;
use super::any_of::ValueHash;
use super::atom::Atom;

/// What the filters of a tenant may look at in an event's data.
#[derive(Clone, Debug, Default)]
pub struct Data {
    root: Node,
}

/// The text is no JSON, or the envelope holds no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("data is not JSON (at byte {place})")]
pub struct DataError {
    place: usize,
}

/// A value of the tree.
#[derive(Clone, Debug, Default)]
pub(super) enum Node {
    /// null, and what is not there.
    #[default]
    Nothing,
    Scalar(Scalar, ValueHash),
    List(Box<[Node]>),
    /// Sorted by key, keys distinct.
    Object(Box<[(Box<str>, Node)]>),
}

/// The order of two keys. Empty ones are not compared, see [`super::rule`].
fn order(a: &str, b: &str) -> Ordering {
    if a.is_empty() || b.is_empty() { a.len().cmp(&b.len()) } else { a.cmp(b) }
}

impl Data {
    /// Data that was not read, because nobody asks for it.
    pub const NONE: Self = Self { root: Node::Nothing };

    /// Reads the JSON text of an event's data. Of two keys with one name the last counts. Numbers of any size are read; half a
    /// surrogate pair becomes U+FFFD; what nests deeper than 64 levels, the producer's limit, is an object without keys.
    pub fn parse(json_text: &str) -> Result<Self, DataError> {
        reader::read(json_text).map(|root| Self { root }).map_err(|place| DataError { place })
    }

    /// Reads the data of an envelope as the publish function composes it.
    pub fn of_envelope(envelope: &[u8]) -> Result<Self, DataError> {
        // Neither type, id nor time can hold a quotation mark, so the first such key is the envelope's own.
        const KEY: &str = ",\"data\":";
        let text = std::str::from_utf8(envelope)
            .map_err(|error| DataError { place: error.valid_up_to() })?;
        let found = text.find(KEY).map(|place| &text[place + KEY.len()..]);
        let data = found.and_then(|rest| rest.trim_end().strip_suffix('}'));
        Self::parse(data.ok_or(DataError { place: text.len() })?)
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }
}

impl Node {
    /// The value of a key; nothing else than an object has one.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(pairs) = self else { return None };
        let index = pairs.binary_search_by(|(name, _)| order(name, key)).ok()?;
        Some(&pairs[index].1)
    }

    /// Whether there is a value: not null, and not a list of nothing.
    pub(super) fn exists(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Scalar(..) | Self::Object(_) => true,
            Self::List(items) => items.iter().any(Self::exists),
        }
    }

    /// Whether the value, or one in the list, is as asked.
    pub(super) fn any_scalar(&self, is: &impl Fn(Atom<'_>, ValueHash) -> bool) -> bool {
        match self {
            Self::Nothing | Self::Object(_) => false,
            Self::Scalar(value, hash) => is(value.into(), *hash),
            Self::List(items) => items.iter().any(|item| item.any_scalar(is)),
        }
    }

    /// Whether the object, or one in the list, is as asked; none if there is no object.
    pub(super) fn any_object(&self, is: &impl Fn(&Self) -> bool) -> Option<bool> {
        match self {
            Self::Nothing | Self::Scalar(..) => None,
            Self::Object(_) => Some(is(self)),
            Self::List(items) => {
                let mut found = None;
                for item in items {
                    match item.any_object(is) {
                        Some(true) => return Some(true),
                        Some(false) => found = Some(false),
                        None => {}
                    }
                }
                found
            }
        }
    }
}
