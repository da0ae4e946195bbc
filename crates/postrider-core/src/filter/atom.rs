//! One value of an event as the operators see it: a text wherever it lies, or another scalar.

use super::Scalar;

/// A single value, borrowed from the event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Atom<'a> {
    Text(&'a str),
    /// Never a text.
    Other(&'a Scalar),
}

impl<'a> Atom<'a> {
    /// The text, if it is one.
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }

    /// Whether this is the wanted value. No value is turned into another kind for that.
    pub(super) fn is(self, wanted: &Scalar) -> bool {
        match (self, wanted) {
            (Self::Text(text), Scalar::Text(wanted)) => {
                // Empty ones are not compared, see `super::rule`.
                text.len() == wanted.len() && (text.is_empty() || *text == **wanted)
            }
            (Self::Text(_), _) => false,
            (Self::Other(value), wanted) => value == wanted,
        }
    }
}

impl<'a> From<&'a Scalar> for Atom<'a> {
    fn from(value: &'a Scalar) -> Self {
        match value {
            Scalar::Text(text) => Self::Text(text),
            other => Self::Other(other),
        }
    }
}
