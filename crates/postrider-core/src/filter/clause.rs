//! The conditions of a filter, asked about an event.
//!
//! A filter is a list of clauses that must all hold. [`super::compile`] makes them, [`super::explain`] says of each why it holds
//! or does not. A new field becomes a [`Source`], a new operator a [`super::rule::Rule`].

use super::alternatives::Alternatives;
use super::any_of::ValueHash;
use super::atom::Atom;
use super::data::Node;
use super::prepared::Prepared;

/// One condition.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    /// JSON pointer into the endpoint, such as `/filter/attributes/plan`. Only explaining reads it.
    pub(super) pointer: Box<str>,
    pub(super) test: Test,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    /// A value of this field, or any in its list, is one of those wanted.
    Value { of: Source, wanted: Alternatives },
    /// The object there, or one object of the list there, satisfies all of these.
    Within { of: Source, clauses: Box<[Clause]> },
    /// `$or`: all clauses of at least one branch hold.
    Either { branches: Box<[Box<[Clause]>]> },
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Type,
    Tenant,
    Labels,
    Attribute(Box<str>),
    Data,
    /// A key of the object that is asked about.
    Key(Box<str>),
}

/// What is asked: the whole event, or an object inside its data, which may be missing.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Event(&'a Prepared<'a>),
    Object(Option<&'a Node>),
}

/// What a source leads to.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    Nothing,
    One(Atom<'a>, ValueHash),
    Labels(&'a Prepared<'a>),
    Node(&'a Node),
}

impl Clause {
    /// Whether it holds. Allocates nothing.
    pub(super) fn holds(&self, subject: Subject<'_>) -> bool {
        match &self.test {
            Test::Value { of, wanted } => is_wanted(subject.find(of), wanted),
            Test::Within { of, clauses } => {
                let holds_in = |object: Option<&Node>| all_hold(clauses, Subject::Object(object));
                let found = match subject.find(of) {
                    Found::Node(node) => node.any_object(&|object| holds_in(Some(object))),
                    _ => None,
                };
                // Where there is no object, none of its keys has a value; that may be what is asked for.
                found.unwrap_or_else(|| holds_in(None))
            }
            Test::Either { branches } => branches.iter().any(|branch| all_hold(branch, subject)),
        }
    }

    /// Whether it looks at the event's data.
    pub(super) fn needs_data(&self) -> bool {
        match &self.test {
            Test::Value { of, .. } | Test::Within { of, .. } => matches!(of, Source::Data),
            Test::Either { branches } => branches.iter().flatten().any(Self::needs_data),
        }
    }
}

/// Whether every clause holds.
pub(super) fn all_hold(clauses: &[Clause], subject: Subject<'_>) -> bool {
    clauses.iter().all(|clause| clause.holds(subject))
}

/// Whether what was found is wanted. Without a value only `{"exists": false}` is satisfied, and never by a value.
pub(super) fn is_wanted(found: Found<'_>, wanted: &Alternatives) -> bool {
    if !found.exists() {
        return wanted.absence;
    }
    wanted.presence
        || match found {
            Found::Nothing => false,
            Found::One(value, hash) => wanted.accepts(value, hash),
            Found::Labels(event) => event.has_label(wanted),
            Found::Node(node) => node.any_scalar(&|value, hash| wanted.accepts(value, hash)),
        }
}

impl<'a> Subject<'a> {
    pub(super) fn find(self, source: &Source) -> Found<'a> {
        let node = |node: Option<&'a Node>| node.map_or(Found::Nothing, Found::Node);
        let one = |(value, hash)| Found::One(value, hash);
        match (self, source) {
            (Self::Event(event), Source::Type) => one(event.event_type()),
            (Self::Event(event), Source::Tenant) => one(event.tenant()),
            (Self::Event(event), Source::Labels) => Found::Labels(event),
            (Self::Event(event), Source::Attribute(name)) => {
                let found = event.event().attributes.find(name);
                found.map_or(Found::Nothing, |(value, hash)| one((value.into(), hash)))
            }
            (Self::Event(event), Source::Data) => node(Some(event.event().data.root())),
            (Self::Object(object), Source::Key(key)) => node(object.and_then(|o| o.get(key))),
            // The compiler puts keys inside data and everything else outside.
            (Self::Event(_), Source::Key(_)) | (Self::Object(_), _) => Found::Nothing,
        }
    }
}

impl Found<'_> {
    pub(super) fn exists(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::One(..) => true,
            Self::Labels(event) => !event.event().labels.is_empty(),
            Self::Node(node) => node.exists(),
        }
    }
}
