//! One event made ready to be asked by many clauses: what they would each compute is computed once, on the stack.

use super::any_of::{AnyOf, Mask, ValueHash};
use super::{Attributes, EventView};

/// How many labels are hashed beforehand; the producer's limit is 50.
const LABELS: usize = 64;

/// An event and the hashes of its labels.
pub(super) struct Prepared<'a> {
    event: EventView<'a>,
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
        Self { event: *event, hashes, mask }
    }

    pub(super) fn attributes(&self) -> &'a Attributes {
        self.event.attributes
    }

    pub(super) fn has_any_label_of(&self, wanted: &AnyOf<Box<str>>) -> bool {
        let contains = |label: &String, hash| wanted.contains(hash, |wanted| **wanted == **label);
        let (first, rest) = self.event.labels.split_at(self.event.labels.len().min(LABELS));
        let early = wanted.may_contain_any(self.mask)
            && first.iter().zip(&self.hashes).any(|(label, hash)| contains(label, *hash));
        early || rest.iter().any(|label| contains(label, ValueHash::of(label.as_str())))
    }
}
