//! The endpoints whose deliveries are to be pulled, each once, in a fair order: tenants take turns, and of each its endpoints.
//! So one tenant's thousand lanes that wait for the database keep no lane of another waiting for long.

use std::collections::{HashMap, HashSet, VecDeque};

use postrider_core::ids::EndpointId;

use crate::turns::Whose;

/// What the puller was asked for.
#[derive(Default)]
pub(crate) struct Asked {
    known: HashSet<EndpointId>,
    tenants: HashMap<u64, VecDeque<EndpointId>>,
    /// The tenants that wait, each once.
    order: VecDeque<u64>,
}

impl Asked {
    /// Who has asked already has lost nothing: a pull brings what is due when it is made.
    pub(crate) fn add(&mut self, whose: Whose) {
        if !self.known.insert(whose.endpoint) {
            return;
        }
        let endpoints = self.tenants.entry(whose.tenant).or_default();
        if endpoints.is_empty() {
            self.order.push_back(whose.tenant);
        }
        endpoints.push_back(whose.endpoint);
    }

    pub(crate) fn next(&mut self) -> Option<EndpointId> {
        let tenant = self.order.pop_front()?;
        let endpoints = self.tenants.get_mut(&tenant)?;
        let endpoint = endpoints.pop_front()?;
        if endpoints.is_empty() {
            self.tenants.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        self.known.remove(&endpoint);
        Some(endpoint)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn tenants_take_turns_and_nobody_is_asked_for_twice() {
        let mut asked = Asked::default();
        let endpoint = |number| EndpointId(Uuid::from_u128(number));
        for number in (0..1000).chain(0..1000) {
            asked.add(Whose { tenant: 1, endpoint: endpoint(number) });
        }
        asked.add(Whose { tenant: 2, endpoint: endpoint(5000) });
        let order: Vec<_> = std::iter::from_fn(|| asked.next()).collect();
        assert_eq!(order.len(), 1001);
        assert_eq!(order[..4], [0, 5000, 1, 2].map(endpoint));
        assert!(asked.is_empty() && asked.known.is_empty() && asked.tenants.is_empty());
    }
}
