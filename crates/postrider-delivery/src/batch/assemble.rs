//! Puts what was leased together: items for the lane, each a single delivery or a batch with its body.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use postrider_core::batch::{body, content_type};
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_store::batches::{Leased, Plan, PlannedBatch};
use postrider_store::deliveries::{BatchMember, EventPayload, LeasedBatch, LeasedDelivery};
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
        event: leased.event,
        leased_at,
        batch: None,
    }
}

/// One item of all members; `None` if one is missing, or its body is gone since it was planned.
fn together(
    endpoint: EndpointId,
    tenant: &str,
    planned: &PlannedBatch,
    members: &[Leased],
    leased_at: Instant,
) -> Option<LeasedDelivery> {
    let first = members.first().filter(|_| members.len() == planned.members.len())?;
    let events: Vec<&EventPayload> =
        members.iter().map(|member| member.event.as_deref()).collect::<Option<_>>()?;
    let envelopes = events.iter().map(|event| event.envelope.as_ref());
    let body = body(planned.format, planned.encoding, tenant, envelopes).ok()?;
    let member = |(leased, event): (&Leased, &&EventPayload)| BatchMember {
        id: leased.id,
        lease_no: leased.lease_no,
        attempts: leased.attempts,
        event_id: event.id.clone(),
    };
    Some(LeasedDelivery {
        id: first.id,
        endpoint,
        lease_no: first.lease_no,
        attempts: members.iter().map(|member| member.attempts).max().unwrap_or(0),
        ordered: false,
        event: Some(Arc::new(EventPayload {
            id: planned.id.to_string(),
            envelope: Bytes::from(body),
            traceparent: None,
            expires_at: None,
        })),
        leased_at,
        batch: Some(Arc::new(LeasedBatch {
            id: planned.id,
            members: members.iter().zip(&events).map(member).collect(),
            content_type: content_type(planned.format, planned.encoding),
            expires_at: events.iter().filter_map(|event| event.expires_at).min(),
        })),
    })
}
