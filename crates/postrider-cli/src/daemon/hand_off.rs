//! Where fan-out and delivery meet: the lanes as fan-out's hand-off. The two crates do not know each other.

use postrider_core::ids::EndpointId;
use postrider_delivery::Lanes;
use postrider_fanout::HandOff;
use postrider_store::deliveries::LeasedDelivery;

/// The delivery lanes of this process; without a delivery stage, everything stays in the database.
pub(crate) struct LocalLanes(pub(crate) Option<Lanes>);

impl HandOff for LocalLanes {
    fn reserve(&self, endpoint: EndpointId, wanted: usize, bytes: usize) -> usize {
        self.0.as_ref().map_or(0, |lanes| lanes.reserve(endpoint, wanted, bytes))
    }

    fn unreserve(&self, endpoint: EndpointId, places: usize) {
        if let Some(lanes) = &self.0 {
            lanes.unreserve(endpoint, places);
        }
    }

    fn hand_off(&self, deliveries: Vec<LeasedDelivery>) {
        if let Some(lanes) = &self.0 {
            lanes.hand_off(deliveries);
        }
    }

    fn overflowed(&self, endpoint: EndpointId) {
        if let Some(lanes) = &self.0 {
            lanes.overflowed(endpoint);
        }
    }

    fn gathering(&self, endpoint: EndpointId) {
        if let Some(lanes) = &self.0 {
            lanes.gathering(endpoint);
        }
    }

    async fn pace(&self) {
        if let Some(lanes) = &self.0 {
            lanes.pace().await;
        }
    }
}
