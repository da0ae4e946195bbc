//! One event made ready to be asked by many clauses: what they would each compute is computed once, on the stack.

use super::alternatives::Alternatives;
use super::any_of::{AnyOf, Mask, ValueHash};
use super::atom::Atom;
use super::{EventView, Scalar};

/// How many labels are hashed beforehand; the producer's limit is 50.
const LABELS: usize = 64;

/// An event and the hashes of what is not hashed when it is read.
pub(super) struct Prepared<'a> {
    event: EventView<'a>,
    tenant: ValueHash,
    event_type: ValueHash,
    hashes: [ValueHash; LABELS],
    mask: Mask,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(event: &EventView<'a>) -> Self {
        let mut hashes = [ValueHash::default(); LABELS];
        for (hash, label) in hashes.iter_mut().zip(event.labels) {
            *hash = ValueHash::of(label.as_str());
        }
        let mask = Mask::of(&hashes[..event.labels.len().min(LABELS)]);
        Self {
            event: *event,
            tenant: ValueHash::of(event.tenant),
            event_type: ValueHash::of(event.event_type),
            hashes,
            mask,
        }
    }

    pub(super) fn event(&self) -> &EventView<'a> {
        &self.event
    }

    pub(super) fn tenant(&self) -> (Atom<'a>, ValueHash) {
        (Atom::Text(self.event.tenant), self.tenant)
    }

    pub(super) fn event_type(&self) -> (Atom<'a>, ValueHash) {
        (Atom::Text(self.event.event_type), self.event_type)
    }

    /// The labels with their hashes.
    pub(super) fn labels(&self) -> impl Iterator<Item = (Atom<'a>, ValueHash)> {
        self.event.labels.iter().enumerate().map(|(index, label)| {
            let hash = self.hashes.get(index).copied();
            (Atom::Text(label), hash.unwrap_or_else(|| ValueHash::of(label.as_str())))
        })
    }

    /// Whether some label is one of those wanted.
    pub(super) fn has_label(&self, wanted: &Alternatives) -> bool {
        wanted.exact().is_some_and(|exact| self.has_any_label_of(exact))
            || wanted.has_rules()
                && self.labels().any(|(label, hash)| wanted.rules_accept(label, hash))
    }

    fn has_any_label_of(&self, wanted: &AnyOf<Scalar>) -> bool {
        // The mask knows the first labels only.
        let all_are_known = self.event.labels.len() <= LABELS;
        if all_are_known && !wanted.may_contain_any(self.mask) {
            return false;
        }
        self.labels().any(|(label, hash)| wanted.contains(hash, |wanted| label.is(wanted)))
    }
}
