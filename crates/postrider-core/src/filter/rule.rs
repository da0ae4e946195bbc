//! The operators of the pattern language that look at one value.
//!
//! Empty texts are told by their length and not compared. An empty box points nowhere, and glibc's comparison of no bytes there reads
//! with a mask, which costs 160 ns where AVX-512 is used (measured in November 2026): fifty times what a comparison does.

use std::net::IpAddr;

use ipnet::IpNet;

use super::any_of::{AnyOf, ValueHash};
use super::atom::Atom;
use super::numeric::Range;
use super::wildcard::Wildcard;
use super::{Scalar, fold};

/// A comparison, or a search of a text.
const CHEAP: u32 = 1;
/// Two comparisons of whole numbers with fractions.
const NUMERIC: u32 = 3;
/// Reading an address.
const CIDR: u32 = 4;
/// Every character is mapped before it is compared.
const IGNORE_CASE: u32 = 5;

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

    /// What it costs, see [`super::MAX_COST`].
    pub(super) fn cost(&self) -> u32 {
        match self {
            Self::Text(rule) => rule.cost(),
            Self::Numeric(_) => NUMERIC,
            Self::Cidr(_) => CIDR,
            Self::AnythingBut(Not::Values(_)) => CHEAP,
            Self::AnythingBut(Not::Texts(rules)) => rules.iter().map(TextRule::cost).sum(),
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
    fn cost(&self) -> u32 {
        match self {
            Self::Prefix(_) | Self::Suffix(_) | Self::Wildcard(_) => CHEAP,
            Self::EqualsIgnoreCase(_) | Self::PrefixIgnoreCase(_) | Self::SuffixIgnoreCase(_) => {
                IGNORE_CASE
            }
        }
    }

    fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => prefix.is_empty() || text.starts_with(&**prefix),
            Self::Suffix(suffix) => suffix.is_empty() || text.ends_with(&**suffix),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::EqualsIgnoreCase(folded) => fold::is_equal(folded, text),
            Self::PrefixIgnoreCase(folded) => fold::has_prefix(folded, text),
            Self::SuffixIgnoreCase(folded) => fold::has_suffix(folded, text),
        }
    }
}
