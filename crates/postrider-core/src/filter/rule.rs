//! The operators of the pattern language that look at one value.

use std::net::IpAddr;

use ipnet::IpNet;

use super::any_of::{AnyOf, ValueHash};
use super::atom::Atom;
use super::numeric::Range;
use super::wildcard::Wildcard;
use super::{Scalar, fold};

/// An operator with its argument.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Text(TextRule),
    Numeric(Range),
    /// An address of this network, written as a text.
    Cidr(IpNet),
    AnythingBut(Not),
}

/// An operator that only a text can satisfy.
#[derive(Clone, Debug)]
pub(super) enum TextRule {
    Prefix(Box<str>),
    Suffix(Box<str>),
    Wildcard(Wildcard),
    // The texts of these three are folded.
    EqualsIgnoreCase(Box<str>),
    PrefixIgnoreCase(Box<str>),
    SuffixIgnoreCase(Box<str>),
}

/// What a value must not be.
#[derive(Clone, Debug)]
pub(super) enum Not {
    Values(AnyOf<Scalar>),
    /// None of these; a value that is no text is none of them.
    Texts(Box<[TextRule]>),
}

impl Rule {
    /// Whether the value satisfies it. Allocates nothing.
    pub(super) fn accepts(&self, value: Atom<'_>, hash: ValueHash) -> bool {
        match self {
            Self::Text(rule) => value.text().is_some_and(|text| rule.accepts(text)),
            Self::Numeric(range) => {
                matches!(value, Atom::Other(number) if range.contains(number))
            }
            Self::Cidr(net) => {
                let address = value.text().and_then(|text| text.parse::<IpAddr>().ok());
                address.is_some_and(|address| net.contains(&address))
            }
            Self::AnythingBut(Not::Values(values)) => {
                !values.contains(hash, |wanted| value.is(wanted))
            }
            Self::AnythingBut(Not::Texts(rules)) => {
                !value.text().is_some_and(|text| rules.iter().any(|rule| rule.accepts(text)))
            }
        }
    }

    /// Its name in a filter.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text(TextRule::Prefix(_) | TextRule::PrefixIgnoreCase(_)) => "prefix",
            Self::Text(TextRule::Suffix(_) | TextRule::SuffixIgnoreCase(_)) => "suffix",
            Self::Text(TextRule::Wildcard(_)) => "wildcard",
            Self::Text(TextRule::EqualsIgnoreCase(_)) => "equals-ignore-case",
            Self::Numeric(_) => "numeric",
            Self::Cidr(_) => "cidr",
            Self::AnythingBut(_) => "anything-but",
        }
    }
}

impl TextRule {
    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::EqualsIgnoreCase(folded) => fold::is_equal(folded, text),
            Self::PrefixIgnoreCase(folded) => fold::has_prefix(folded, text),
            Self::SuffixIgnoreCase(folded) => fold::has_suffix(folded, text),
        }
    }
}
