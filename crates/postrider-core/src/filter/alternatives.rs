//! One list of a filter: what a field may be. Any of its items is enough.

use super::Scalar;
use super::any_of::{AnyOf, ValueHash};
use super::atom::Atom;
use super::rule::Rule;

/// The items of a list, sorted by how they are asked.
#[derive(Clone, Debug)]
pub(super) struct Alternatives {
    exact: Option<AnyOf<Scalar>>,
    rules: Box<[Rule]>,
    /// `{"exists": true}` is among them.
    pub(super) presence: bool,
    /// `{"exists": false}` is among them: the only item that an event without a value satisfies.
    pub(super) absence: bool,
}

/// What makes a value acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    Exactly,
    By(&'static str),
}

impl Alternatives {
    pub(super) fn new(exact: Vec<Scalar>, rules: Vec<Rule>, presence: bool, absence: bool) -> Self {
        let exact = (!exact.is_empty()).then(|| AnyOf::new(exact));
        Self { exact, rules: rules.into(), presence, absence }
    }

    /// Only these values.
    pub(super) fn exactly(values: Vec<Scalar>) -> Self {
        Self::new(values, Vec::new(), false, false)
    }

    /// The values that are wanted as they are.
    pub(super) fn exact(&self) -> Option<&AnyOf<Scalar>> {
        self.exact.as_ref()
    }

    /// Whether some item is an operator on a value.
    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether a value that is there satisfies an item. Allocates nothing.
    pub(super) fn accepts(&self, value: Atom<'_>, hash: ValueHash) -> bool {
        self.is_exactly(value, hash) || self.rules_accept(value, hash)
    }

    /// Whether it satisfies an operator.
    pub(super) fn rules_accept(&self, value: Atom<'_>, hash: ValueHash) -> bool {
        self.rules.iter().any(|rule| rule.accepts(value, hash))
    }

    /// Which item a value satisfies.
    pub(super) fn accepted(&self, value: Atom<'_>, hash: ValueHash) -> Option<Accepted> {
        if self.is_exactly(value, hash) {
            return Some(Accepted::Exactly);
        }
        let rule = self.rules.iter().find(|rule| rule.accepts(value, hash));
        rule.map(|rule| Accepted::By(rule.name()))
    }

    fn is_exactly(&self, value: Atom<'_>, hash: ValueHash) -> bool {
        self.exact.as_ref().is_some_and(|exact| exact.contains(hash, |wanted| value.is(wanted)))
    }
}
