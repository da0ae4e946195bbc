//! Puts what was leased together: items for the lane, each a single delivery or a batch with its body.

use std::collections::HashMap;
use std::time::Instant;

use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_store::batches::{Leased, Plan, together};
use postrider_store::deliveries::LeasedDelivery;
use tracing::error;

/// The items of a plan.
pub(super) fn assemble(
    endpoint: EndpointId,
    tenant: &str,
    plan: &Plan,
    leased: Vec<Leased>,
    leased_at: Instant,
) -> Vec<LeasedDelivery> {
    let mut leased: HashMap<DeliveryId, Leased> =
        leased.into_iter().map(|delivery| (delivery.id, delivery)).collect();
    let mut items = Vec::with_capacity(plan.batches.len() + plan.alone.len());
    for planned in &plan.batches {
        let members: Vec<Leased> =
            planned.members.iter().filter_map(|id| leased.remove(id)).collect();
        match together(endpoint, tenant, planned, &members, leased_at) {
            Some(batch) => items.push(batch),
            None => {
                error!(endpoint.id = %endpoint, batch.id = %planned.id, "batch {} cannot be put together; its deliveries go one by one", planned.id);
                items.extend(members.into_iter().map(|member| single(endpoint, member, leased_at)));
            }
        }
    }
    let alone = plan.alone.iter().filter_map(|id| leased.remove(id));
    items.extend(alone.map(|delivery| single(endpoint, delivery, leased_at)));
    items
}

fn single(endpoint: EndpointId, leased: Leased, leased_at: Instant) -> LeasedDelivery {
    LeasedDelivery {
        id: leased.id,
        endpoint,
        lease_no: leased.lease_no,
        attempts: leased.attempts,
        ordered: false,
        replay: leased.replay,
        event: leased.event,
        leased_at,
        batch: None,
    }
}
