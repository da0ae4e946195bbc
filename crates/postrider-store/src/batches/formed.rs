//! Batches that were formed just now: stored with the transaction that leases their members, and put together for the lane.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use postrider_core::batch::{body, content_type};
use postrider_core::ids::{DeliveryId, EndpointId};
use uuid::Uuid;

use super::{Leased, PlannedBatch};
use crate::db::Params;
use crate::deliveries::{BatchMember, EventPayload, LeasedBatch, LeasedDelivery};
use crate::statement::BATCHES_INSERT;
use crate::{Session, StoreError};

/// Batches to store, column by column as the statement takes them: a line for each member.
#[derive(Debug, Default)]
pub struct FormedBatches {
    members: Vec<Uuid>,
    batches: Vec<Uuid>,
    endpoints: Vec<Uuid>,
    formats: Vec<&'static str>,
    encodings: Vec<&'static str>,
}

impl FormedBatches {
    /// Adds one.
    pub fn push(&mut self, endpoint: EndpointId, batch: &PlannedBatch) {
        for DeliveryId(member) in &batch.members {
            self.members.push(*member);
            self.batches.push(batch.id.0);
            self.endpoints.push(endpoint.0);
            self.formats.push(batch.format.as_str());
            self.encodings.push(batch.encoding.as_str());
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Stores them; those whose members are not open any more are left out.
    pub(crate) async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        let Self { members, batches, endpoints, formats, encodings } = self;
        let params: Params<'_> = &[members, batches, endpoints, formats, encodings];
        session.execute(&BATCHES_INSERT, params).await.map(drop)
    }
}

/// One item for the lane, of all members in the order of the batch; `None` if one is missing or without a body.
#[must_use]
pub fn together(
    endpoint: EndpointId,
    tenant: &str,
    batch: &PlannedBatch,
    members: &[Leased],
    leased_at: Instant,
) -> Option<LeasedDelivery> {
    let first = members.first().filter(|_| members.len() == batch.members.len())?;
    let events: Vec<&EventPayload> =
        members.iter().map(|member| member.event.as_deref()).collect::<Option<_>>()?;
    let envelopes = events.iter().map(|event| event.envelope.as_ref());
    let body = body(batch.format, batch.encoding, tenant, envelopes).ok()?;
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
        replay: false,
        event: Some(Arc::new(EventPayload {
            id: batch.id.to_string(),
            envelope: Bytes::from(body),
            traceparent: None,
            expires_at: None,
        })),
        leased_at,
        batch: Some(Arc::new(LeasedBatch {
            id: batch.id,
            members: members.iter().zip(&events).map(member).collect(),
            content_type: content_type(batch.format, batch.encoding),
            expires_at: events.iter().filter_map(|event| event.expires_at).min(),
        })),
    })
}
