//! Who waits at a turnstile, and who is next. Decides; the turnstile counts who is past it, and holds the lock.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use postrider_core::ids::EndpointId;

use super::{Ticket, Whose};
use crate::lane::Slot;

/// Both kinds, and whose turn it is.
#[derive(Default)]
pub(super) struct Line {
    kinds: [Kind; 2],
    /// Whether the last that was called was a first attempt.
    first_was_last: bool,
}

/// Those who wait with attempts of one kind.
#[derive(Default)]
struct Kind {
    tenants: HashMap<u64, Tenant>,
    /// The tenants that wait: who holds least comes first, and among equals who was served longest ago.
    order: BTreeSet<(usize, u64, u64)>,
    /// Counts turns.
    turn: u64,
}

/// A tenant that waits, or holds what it has waited for.
#[derive(Default)]
struct Tenant {
    held: usize,
    served: u64,
    /// Its endpoints that wait, each once.
    ring: VecDeque<EndpointId>,
    tickets: HashMap<EndpointId, VecDeque<Arc<Ticket>>>,
}

impl Line {
    pub(super) fn join(&mut self, whose: Whose, slot: Slot, ticket: Arc<Ticket>) {
        self.kinds[slot as usize].join(whose, ticket);
    }

    pub(super) fn is_empty(&self, slot: Slot) -> bool {
        self.kinds[slot as usize].order.is_empty()
    }

    /// The kind that is served next, of those that wait and were not turned away: not the last one, if both do.
    pub(super) fn next_kind(&self, turned_away: [bool; 2]) -> Option<Slot> {
        let mut kinds = [Slot::First, Slot::Retry];
        if self.first_was_last {
            kinds.reverse();
        }
        kinds.into_iter().find(|slot| !turned_away[*slot as usize] && !self.is_empty(*slot))
    }

    /// Calls the next of a kind; false if it does not wait any more.
    pub(super) fn call(&mut self, slot: Slot) -> bool {
        self.first_was_last = slot == Slot::First;
        self.kinds[slot as usize].call()
    }

    /// Whom it knows, and what they hold.
    #[cfg(test)]
    pub(super) fn names(&self) -> HashMap<u64, usize> {
        let known = self.kinds.iter().flat_map(|kind| &kind.tenants);
        known.map(|(name, tenant)| (*name, tenant.held)).collect()
    }

    /// A place that was waited for is free again.
    pub(super) fn give_back(&mut self, slot: Slot, tenant: u64) {
        self.kinds[slot as usize].give_back(tenant);
    }
}

impl Kind {
    fn join(&mut self, whose: Whose, ticket: Arc<Ticket>) {
        let tenant = self.tenants.entry(whose.tenant).or_default();
        if tenant.ring.is_empty() {
            self.order.insert((tenant.held, tenant.served, whose.tenant));
        }
        let tickets = tenant.tickets.entry(whose.endpoint).or_default();
        if tickets.is_empty() {
            tenant.ring.push_back(whose.endpoint);
        }
        tickets.push_back(ticket);
    }

    fn call(&mut self) -> bool {
        let Some((_, _, name)) = self.order.pop_first() else { return false };
        let Some(tenant) = self.tenants.get_mut(&name) else { return false };
        let called = tenant.call();
        if called {
            self.turn += 1;
            (tenant.held, tenant.served) = (tenant.held + 1, self.turn);
        }
        if !tenant.ring.is_empty() {
            self.order.insert((tenant.held, tenant.served, name));
        } else if tenant.held == 0 {
            self.tenants.remove(&name);
        }
        called
    }

    fn give_back(&mut self, name: u64) {
        let Some(tenant) = self.tenants.get_mut(&name) else { return };
        let waits = self.order.remove(&(tenant.held, tenant.served, name));
        tenant.held = tenant.held.saturating_sub(1);
        if waits {
            self.order.insert((tenant.held, tenant.served, name));
        } else if tenant.held == 0 {
            self.tenants.remove(&name);
        }
    }
}

impl Tenant {
    /// Calls the first ticket of the endpoint whose turn it is; that endpoint is the last one then.
    fn call(&mut self) -> bool {
        let Some(endpoint) = self.ring.pop_front() else { return false };
        let Some(tickets) = self.tickets.get_mut(&endpoint) else { return false };
        let called = tickets.pop_front().is_some_and(|ticket| ticket.call());
        if tickets.is_empty() {
            self.tickets.remove(&endpoint);
        } else {
            self.ring.push_back(endpoint);
        }
        called
    }
}
