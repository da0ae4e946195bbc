//! The subscriptions of one tenant's endpoints, indexed by event type.

use std::collections::HashMap;

use super::prepared::Prepared;
use super::types::{OPERATOR_EVENTS, is_operator_event};
use super::{EventView, Subscription};

/// Some of the subscriptions.
#[derive(Clone, Debug, Default)]
struct Indexes {
    /// Positions in `Routes::entries`.
    positions: Vec<u32>,
    /// Whether one of them looks at the event's data.
    need_data: bool,
}

#[derive(Clone, Debug)]
struct Entry<K> {
    key: K,
    subscription: Subscription,
    /// Asking it may take long, because it looks at the event's data.
    slow: bool,
}

/// So many subscriptions that are quick to ask are asked between two looks at the time.
const QUICK: u32 = 64;

/// Matching was given up on the way: not all that match were called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp;

/// All subscriptions of one tenant, each with the key its owner knows it by.
///
/// An event looks at the endpoints that name its type, those that name one of its prefixes and those that want everything,
/// and at no other. The patterns of one subscription are disjoint, so none is found twice.
#[derive(Clone, Debug)]
pub struct Routes<K> {
    entries: Vec<Entry<K>>,
    by_name: HashMap<Box<str>, Indexes>,
    by_prefix: HashMap<Box<str>, Indexes>,
    everything: Indexes,
    /// One list for each of [`OPERATOR_EVENTS`], which `*` does not reach.
    operator: [Indexes; OPERATOR_EVENTS.len()],
}

impl<K> Routes<K> {
    /// Indexes the subscriptions.
    pub fn new(entries: Vec<(K, Subscription)>) -> Self {
        let mut routes = Self {
            entries: Vec::new(),
            by_name: HashMap::new(),
            by_prefix: HashMap::new(),
            everything: Indexes::default(),
            operator: Default::default(),
        };
        for (index, (_, subscription)) in entries.iter().enumerate() {
            let index = u32::try_from(index).expect("a tenant has fewer than 4 billion endpoints");
            routes.index(index, subscription);
        }
        let entry = |(key, subscription): (K, Subscription)| {
            let slow = subscription.needs_data();
            Entry { key, subscription, slow }
        };
        routes.entries = entries.into_iter().map(entry).collect();
        routes
    }

    fn index(&mut self, index: u32, subscription: &Subscription) {
        let (types, need_data) = (&subscription.types, subscription.needs_data());
        for (list, event_type) in self.operator.iter_mut().zip(OPERATOR_EVENTS) {
            if types.matches(event_type) {
                list.push(index, need_data);
            }
        }
        if types.any {
            self.everything.push(index, need_data);
            return;
        }
        for name in types.exact.iter().filter(|name| !is_operator_event(name)) {
            self.by_name.entry(name.clone()).or_default().push(index, need_data);
        }
        for prefix in &types.prefixes {
            self.by_prefix.entry(prefix.clone()).or_default().push(index, need_data);
        }
    }

    /// Calls back once for each subscription that matches. Allocates nothing.
    pub fn for_each_match(&self, event: &EventView<'_>, found: impl FnMut(&K)) {
        // Never given up.
        let _: Result<(), GivenUp> = self.for_each_match_while(event, || true, found);
    }

    /// The same, as long as `go_on` says so, which is asked after each subscription that looks at data and now and then otherwise.
    /// No single one takes longer than [`super::MAX_COST`] allows.
    ///
    /// # Errors
    /// When it did not go on.
    pub fn for_each_match_while(
        &self,
        event: &EventView<'_>,
        mut go_on: impl FnMut() -> bool,
        mut found: impl FnMut(&K),
    ) -> Result<(), GivenUp> {
        let prepared = Prepared::new(event);
        let (mut quick, mut done) = (QUICK, Ok(()));
        self.for_each_list(event.event_type, |indexes| {
            for index in &indexes.positions {
                if done.is_err() {
                    return;
                }
                let Entry { key, subscription, slow } = &self.entries[*index as usize];
                if subscription.filter_matches(&prepared) {
                    found(key);
                }
                quick = if *slow { 0 } else { quick - 1 };
                if quick == 0 {
                    quick = QUICK;
                    done = if go_on() { Ok(()) } else { Err(GivenUp) };
                }
            }
        });
        done
    }

    /// Whether some endpoint that wants this type looks at the event's data. If none does, there is no need to read it.
    pub fn need_data(&self, event_type: &str) -> bool {
        let mut needed = false;
        self.for_each_list(event_type, |indexes| needed |= indexes.need_data);
        needed
    }

    /// The lists of subscriptions that want a type; no subscription is in two of them.
    fn for_each_list(&self, event_type: &str, mut ask: impl FnMut(&Indexes)) {
        if let Ok(operator) = OPERATOR_EVENTS.binary_search(&event_type) {
            ask(&self.operator[operator]);
            return;
        }
        if let Some(indexes) = self.by_name.get(event_type) {
            ask(indexes);
        }
        if !self.by_prefix.is_empty() {
            for (dot, _) in event_type.match_indices('.') {
                if let Some(indexes) = self.by_prefix.get(&event_type[..=dot]) {
                    ask(indexes);
                }
            }
        }
        ask(&self.everything);
    }

    /// How many subscriptions there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Indexes {
    fn push(&mut self, position: u32, needs_data: bool) {
        self.positions.push(position);
        self.need_data |= needs_data;
    }
}
