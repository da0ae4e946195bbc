//! Deliveries that go in batches: those that fan-out did not hand over in full ones are formed and leased in the database (`pull`,
//! decided in `plan`) and put together (`assemble`). All are sent
//! through the lane as one item (`send`), judged member by member (`judge`), and recorded in one transaction (`record`).
//!
//! Reads and leases `webhook_deliveries_open`; writes `webhook_delivery_batches` and what a recorder writes. An endpoint that does
//! not ask for batches never gets here: what the plain pull says of an endpoint is remembered in [`Batching`].

mod assemble;
mod judge;
mod plan;
mod pull;
mod record;
mod send;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use postrider_core::ids::EndpointId;

use crate::lanes::lock;

pub(crate) use pull::pull;
pub(crate) use record::Unrecorded;

/// The endpoints whose deliveries go in batches, as far as this worker has dealt with them; each with the time before which
/// nobody needs to look again, if there was not enough for a batch the last time.
#[derive(Default)]
pub(crate) struct Batching(Mutex<HashMap<EndpointId, Option<Instant>>>);

impl Batching {
    /// Whether it is one of them.
    pub(crate) fn knows(&self, endpoint: EndpointId) -> bool {
        lock(&self.0).contains_key(&endpoint)
    }

    pub(crate) fn add(&self, endpoint: EndpointId) {
        lock(&self.0).entry(endpoint).or_default();
    }

    /// It asks for none, and none is left.
    fn remove(&self, endpoint: EndpointId) {
        lock(&self.0).remove(&endpoint);
    }

    /// Nobody looks again before that time.
    fn rest(&self, endpoint: EndpointId, until: Instant) {
        lock(&self.0).insert(endpoint, Some(until));
    }

    /// There is enough for a batch.
    pub(crate) fn stir(&self, endpoint: EndpointId) {
        if let Some(until) = lock(&self.0).get_mut(&endpoint) {
            *until = None;
        }
    }

    /// Until when it is left alone, if that is not over.
    pub(crate) fn rests(&self, endpoint: EndpointId) -> Option<Instant> {
        let until = lock(&self.0).get(&endpoint).copied().flatten();
        until.filter(|until| *until > Instant::now())
    }
}
