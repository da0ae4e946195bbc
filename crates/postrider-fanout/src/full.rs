//! Full batches among the matches of one claim. They go to the lane at once; what is left over waits for company in the database, where
//! a pull forms the others.

use std::time::{Duration, Instant};

use postrider_core::batch::{BatchManner, Candidate, Request, form, item_bytes};
use postrider_core::ids::BatchId;
use postrider_store::batches::{Leased, PlannedBatch, together};
use postrider_store::deliveries::LeasedDelivery;
use postrider_store::events::{Inserted, NewDeliveries};

use crate::pass::Match;
use crate::payloads::Payloads;

/// What may go together, before it is known whether the lane has a place for it: nothing is put together yet.
pub(crate) struct Full {
    /// Of its members among the matches of the endpoint.
    places: Vec<usize>,
    /// Of its body, about.
    pub(crate) bytes: usize,
}

/// A batch that has all it may have, put together.
pub(crate) struct FullBatch {
    places: Vec<usize>,
    planned: PlannedBatch,
    item: LeasedDelivery,
}

/// The full batches among an endpoint's matches, which are in the order of their events.
pub(crate) fn full_batches(
    run: &[Match],
    manner: &BatchManner,
    payloads: &Payloads<'_>,
) -> Vec<Full> {
    let candidates: Vec<Candidate> = run.iter().map(|m| candidate(m, manner, payloads)).collect();
    let formed = form(Some(&manner.policy), &candidates, usize::MAX);
    let full = formed.requests.into_iter().filter_map(|request| match request {
        Request::Alone(_) => None,
        Request::Batch(places) => {
            let bytes = places.iter().map(|place| candidates[*place].bytes).sum();
            Some(Full { places, bytes })
        }
    });
    full.collect()
}

/// What may have expired is left out: the database says whether it has.
fn candidate(m: &Match, manner: &BatchManner, payloads: &Payloads<'_>) -> Candidate {
    let Some(body) = payloads.body(m) else {
        return Candidate { bytes: 0, waited: Duration::ZERO, alone: true };
    };
    let (tenant, id, event_type) = (body.tenant_id.len(), body.id.len(), body.event_type.len());
    let bytes = item_bytes(manner.format, tenant, id, event_type, body.envelope.len());
    Candidate { bytes, waited: Duration::ZERO, alone: body.expires_at.is_some() }
}

impl FullBatch {
    /// Puts it together. `None`: it cannot be, and its members are left for a pull to find out why.
    pub(crate) fn of(
        run: &[Match],
        Full { places, .. }: Full,
        manner: &BatchManner,
        payloads: &mut Payloads<'_>,
    ) -> Option<Self> {
        let first = run.get(*places.first()?)?;
        let tenant = &payloads.body(first)?.tenant_id;
        let mut members = Vec::with_capacity(places.len());
        for place in &places {
            let m = &run[*place];
            let (id, event) = (payloads.delivery_id(m)?, payloads.get(m));
            members.push(Leased { id, lease_no: 1, attempts: 0, replay: false, event });
        }
        let ids: Vec<_> = members.iter().map(|member| member.id).collect();
        let planned = PlannedBatch {
            id: BatchId::derive(&ids),
            members: ids,
            format: manner.format,
            encoding: manner.policy.encoding(),
            stored: false,
        };
        let item = together(first.endpoint, tenant, &planned, &members, Instant::now())?;
        Some(Self { places, planned, item })
    }

    /// How many members.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().copied()
    }

    /// Adds its rows.
    pub(crate) fn push<'a>(
        &self,
        rows: &mut NewDeliveries<'a>,
        run: &[Match],
        payloads: &Payloads<'a>,
    ) {
        for (place, id) in self.places.iter().zip(&self.planned.members) {
            let m = &run[*place];
            if let Some((event, body)) = payloads.of_match(m) {
                rows.push(*id, m.endpoint, event, body, Inserted::InBatch(self.planned.id));
            }
        }
        rows.form(self.item.endpoint, &self.planned);
    }

    /// What goes to the lane.
    pub(crate) fn into_item(self, leased_at: Instant) -> LeasedDelivery {
        LeasedDelivery { leased_at, ..self.item }
    }
}
