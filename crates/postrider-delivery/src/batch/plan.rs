//! What of an endpoint's due deliveries goes now: in batches that were formed before, in new ones, or by itself. Decides; `pull` asks
//! and leases.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use postrider_core::batch::{BatchManner, Candidate, Request, form, item_bytes};
use postrider_core::ids::{BatchId, DeliveryId};
use postrider_store::admin::endpoints::TEST_EVENT;
use postrider_store::batches::{DueDelivery, Look, Plan, PlannedBatch, StoredBatch, StoredMember};

/// How an endpoint's new batches are made, and whose they are. Without it all goes by itself.
pub(super) struct Manner<'a> {
    pub(super) made: BatchManner,
    pub(super) tenant: &'a str,
}

/// A plan, and when to ask again.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// What waits for company waits so long at most.
    pub(super) wait: Option<Duration>,
    /// More could go now.
    pub(super) cut: bool,
    /// Something belongs to somebody else just now.
    pub(super) busy: bool,
}

impl<'a> Manner<'a> {
    /// What a look says; nothing if the endpoint asks for no batches, or in a way that this binary does not know.
    pub(super) fn of(look: &'a Look) -> Option<Self> {
        Some(Self { made: look.manner?, tenant: &look.tenant })
    }
}

/// By a look that has locked nothing: `Some` if nothing can go yet, with how long what is there waits for company. What was in a batch
/// already does not wait once more.
pub(super) fn nothing_yet(manner: Option<&Manner<'_>>, look: &Look) -> Option<Option<Duration>> {
    if look.batched && look.due.iter().any(|due| due.batch.is_some()) {
        return None;
    }
    let candidates: Vec<Candidate> = look.due.iter().map(|due| candidate(manner, due)).collect();
    let formed = form(manner.map(|manner| &manner.made.policy), &candidates, usize::MAX);
    formed.requests.is_empty().then_some(formed.wait)
}

/// Plans up to `most` requests with no more than `bytes` in all, but always one, out of what is locked.
pub(super) fn plan(
    manner: Option<&Manner<'_>>,
    due: &[DueDelivery],
    stored: &[StoredBatch],
    most: usize,
    bytes: usize,
) -> Planned {
    let mut planned = Planned::default();
    let (mut requests, mut spent) = (0, 0);
    let known: HashSet<BatchId> = stored.iter().map(|batch| batch.id).collect();
    for batch in stored {
        let size: usize = batch.members.iter().map(|member| member.bytes).sum();
        if requests >= most || (requests > 0 && spent + size > bytes) {
            planned.cut = true;
        } else {
            requests += again(batch, &mut planned);
            spent += size;
        }
    }
    let fresh: Vec<&DueDelivery> =
        due.iter().filter(|d| d.batch.is_none_or(|batch| !known.contains(&batch))).collect();
    let candidates: Vec<Candidate> = fresh.iter().map(|d| candidate(manner, d)).collect();
    let policy = manner.map(|manner| &manner.made.policy);
    let formed = form(policy, &candidates, most.saturating_sub(requests));
    planned.cut |= formed.cut;
    planned.wait = formed.wait;
    for request in &formed.requests {
        let size = match request {
            Request::Alone(place) => candidates[*place].bytes,
            Request::Batch(places) => places.iter().map(|place| candidates[*place].bytes).sum(),
        };
        if requests > 0 && spent + size > bytes {
            planned.cut = true;
            break;
        }
        spent += size;
        requests += 1;
        match (request, manner) {
            (Request::Batch(places), Some(manner)) => {
                planned.plan.batches.push(new_batch(&fresh, places, manner));
            }
            (Request::Batch(places), None) => {
                planned.plan.alone.extend(places.iter().map(|place| fresh[*place].id));
            }
            (Request::Alone(place), _) => planned.plan.alone.push(fresh[*place].id),
        }
    }
    planned
}

/// A batch that was formed before goes as it was; without a member it is another. How many requests that makes.
fn again(batch: &StoredBatch, planned: &mut Planned) -> usize {
    let (Some(format), Some(encoding)) = (batch.format, batch.encoding) else {
        // Written by a newer binary, which will send it.
        planned.busy = true;
        return 0;
    };
    if batch.busy {
        planned.busy = true;
        return 0;
    }
    let (unsendable, members): (Vec<&StoredMember>, Vec<&StoredMember>) =
        batch.members.iter().partition(|member| member.unsendable);
    let members: Vec<DeliveryId> = members.iter().map(|member| member.id).collect();
    // They end in their slot, each for its own reason.
    planned.plan.alone.extend(unsendable.iter().map(|member| member.id));
    let stored = !batch.broken && unsendable.is_empty();
    if !stored {
        planned.plan.forget.push(batch.id);
    }
    let requests = unsendable.len() + usize::from(!members.is_empty());
    if !members.is_empty() {
        let id = if stored { batch.id } else { BatchId::derive(&members) };
        planned.plan.batches.push(PlannedBatch { id, members, format, encoding, stored });
    }
    requests
}

/// Members stand in the order in which their events were published.
fn new_batch(fresh: &[&DueDelivery], places: &[usize], manner: &Manner<'_>) -> PlannedBatch {
    let mut members: Vec<&DueDelivery> = places.iter().map(|place| fresh[*place]).collect();
    members.sort_by_key(|member| (member.seq, member.id));
    let members: Vec<DeliveryId> = members.iter().map(|member| member.id).collect();
    PlannedBatch {
        id: BatchId::derive(&members),
        members,
        format: manner.made.format,
        encoding: manner.made.policy.encoding(),
        stored: false,
    }
}

/// By itself goes what was tried before, also as another delivery, what ends without a request, and tests, which are to say at once
/// whether somebody is there.
fn candidate(manner: Option<&Manner<'_>>, due: &DueDelivery) -> Candidate {
    let event = due.event.as_ref().filter(|event| !event.expired);
    let alone =
        due.attempts > 0 || due.replay || event.is_none_or(|event| event.event_type == TEST_EVENT);
    let bytes = match (event, manner) {
        (Some(event), Some(manner)) => item_bytes(
            manner.made.format,
            manner.tenant.len(),
            event.id_bytes,
            event.event_type.len(),
            event.envelope_bytes,
        ),
        (Some(event), None) => event.envelope_bytes,
        (None, _) => 0,
    };
    Candidate { bytes, waited: due.waited, alone }
}

/// The batches that due deliveries were last sent in, once each, those that fell due first in front.
pub(super) fn batches_of(due: &[DueDelivery]) -> Vec<BatchId> {
    let mut seen = HashMap::new();
    due.iter().filter_map(|d| d.batch).filter(|batch| seen.insert(*batch, ()).is_none()).collect()
}

#[cfg(test)]
mod tests;
