//! Where fan-out puts the deliveries it has just inserted. The lanes of postrider-delivery implement it; `postrider-cli`
//! brings the two together.

use std::future::{Future, ready};

use postrider_core::ids::EndpointId;
use postrider_store::deliveries::LeasedDelivery;

/// The lanes, as fan-out sees them.
///
/// Places are reserved before the rows are inserted, because a row is either inserted leased to us (and handed off) or
/// as due (and pulled later); a reservation is either filled by [`HandOff::hand_off`] or given back.
pub trait HandOff: Send + Sync + 'static {
    /// Reserves up to `wanted` places in an endpoint's lane for envelopes of `bytes` bytes in all; returns how many it got.
    fn reserve(&self, endpoint: EndpointId, wanted: usize, bytes: usize) -> usize;

    /// Gives unused places back.
    fn unreserve(&self, endpoint: EndpointId, places: usize);

    /// Fills reserved places. All are committed and leased to this worker.
    fn hand_off(&self, deliveries: Vec<LeasedDelivery>);

    /// Deliveries of this endpoint were inserted as due: its lane will find them in the database.
    fn overflowed(&self, endpoint: EndpointId);

    /// Deliveries of this endpoint were inserted as due that are not enough for a batch: they wait for company in the database.
    fn gathering(&self, endpoint: EndpointId);

    /// Waits, for a short bounded time, while a lane that was full drains quickly: cheaper than going through the database.
    fn pace(&self) -> impl Future<Output = ()> + Send;
}

/// For a process that fans out only: everything is inserted as due and found by the delivery workers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHandOff;

impl HandOff for NoHandOff {
    fn reserve(&self, _endpoint: EndpointId, _wanted: usize, _bytes: usize) -> usize {
        0
    }

    fn unreserve(&self, _endpoint: EndpointId, _places: usize) {}

    fn hand_off(&self, _deliveries: Vec<LeasedDelivery>) {}

    fn overflowed(&self, _endpoint: EndpointId) {}

    fn gathering(&self, _endpoint: EndpointId) {}

    fn pace(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}
