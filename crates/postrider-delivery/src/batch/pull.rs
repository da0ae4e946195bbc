//! The pull of an endpoint with batches: a look that locks nothing, and only if something is ready, a claim.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::batch::MOST_EVENTS;
use postrider_core::ids::EndpointId;
use postrider_store::StoreError;
use postrider_store::batches::{self, BatchClaim, Look};
use postrider_store::deliveries::{self, LeasedDelivery};
use tracing::{debug, warn};

use super::assemble::assemble;
use super::plan::{Manner, batches_of, nothing_yet, plan};
use crate::attempt;
use crate::lane::Lane;
use crate::lanes::Inner;
use crate::puller::{AFTER_FAILURE, HELD, SOON, settle};

/// What a claim locks at most, in deliveries.
const CLAIM: usize = 2_000;
/// What a pull brings into memory, in bytes, if it is more than one request.
const PULL_BYTES: usize = 4 << 20;
/// After a look that found too little for a batch, so that publishing event by event does not cost a look for each; and so many times
/// what the look took, so that looking costs little of the time however much waits for company.
const REST: Duration = Duration::from_millis(10);
/// See [`REST`].
const REST_FACTOR: u32 = 20;
/// A retry or a batch that has become full meanwhile waits no longer for it.
const MOST_REST: Duration = Duration::from_millis(250);

/// What a pull brought.
#[derive(Default)]
struct Found {
    items: Vec<LeasedDelivery>,
    /// More could go now.
    more: bool,
    /// When something else will be ready, or may be.
    again: Option<Duration>,
    /// There was not enough for a batch: how long nobody looks again.
    rest: Option<Duration>,
}

/// One pull. `false`: the database failed.
pub(crate) async fn pull(inner: &Arc<Inner>, lane: &Arc<Lane>, wanted: usize) -> bool {
    let endpoint = lane.endpoint;
    match find(inner, endpoint, wanted).await {
        Ok(mut found) => {
            if lane.is_probing() {
                sort_out(inner, lane, &mut found).await;
            }
            let now = Instant::now();
            if let Some(rest) = found.rest {
                inner.batching.rest(endpoint, now + rest);
            }
            inner.count_in(&found.items);
            let asked = lane.end_pull(found.items, !found.more);
            inner.open_slots(lane);
            if lane.shut_until().is_some() {
                inner.let_go(lane);
            }
            if let Some(wait) = found.again {
                inner.due.at(endpoint, now + wait);
            }
            if asked {
                inner.request_pull(endpoint);
            }
            true
        }
        Err(failure) => {
            lane.fail_pull();
            inner.sender.metrics.db_error("pull");
            warn!(endpoint.id = %endpoint, error = %failure, "forming batches for {endpoint} failed: {failure}");
            inner.due.at(endpoint, Instant::now() + AFTER_FAILURE);
            false
        }
    }
}

/// Leaves a lane that is probed with what needs a request: a probe that finds nothing to send is none. What does not ends here.
async fn sort_out(inner: &Arc<Inner>, lane: &Lane, found: &mut Found) {
    let (now, all) = (inner.sender.clock.now(), found.items.len());
    for delivery in std::mem::take(&mut found.items) {
        match attempt::to_send(&delivery, now).map(|_| ()) {
            Ok(()) => found.items.push(delivery),
            Err((status, reason)) => {
                settle(inner, &delivery, attempt::end(&delivery, status, reason)).await;
            }
        }
    }
    if found.items.is_empty() {
        match all {
            0 => inner.reports.give_back(lane.endpoint, Duration::ZERO),
            // The probe is still to be made: with what comes next.
            _ => found.again = Some(Duration::ZERO),
        }
    }
}

async fn find(
    inner: &Arc<Inner>,
    endpoint: EndpointId,
    wanted: usize,
) -> Result<Found, StoreError> {
    let look = batches::look(&inner.db, endpoint, usize::from(MOST_EVENTS), inner.owner).await?;
    let mut found = Found { again: look.next_due, ..Found::default() };
    if !look.asks && !look.batched {
        debug!(endpoint.id = %endpoint, "{endpoint} asks for batches no more");
        inner.batching.remove(endpoint);
        found.more = true;
        found.again = Some(Duration::ZERO);
        return Ok(found);
    }
    if look.ordered {
        ordered(inner, endpoint, wanted, &mut found).await?;
    }
    let manner = Manner::of(&look);
    if let Some(wait) = nothing_yet(manner.as_ref(), &look) {
        found.rest = wait.map(|wait| wait.min((look.took * REST_FACTOR).clamp(REST, MOST_REST)));
        found.at_latest(wait);
        return Ok(found);
    }
    let left = wanted.saturating_sub(found.items.len()).max(1);
    claim(inner, endpoint, &look, left, &mut found).await?;
    Ok(found)
}

/// Locks, decides on what it has got, and leases.
async fn claim(
    inner: &Arc<Inner>,
    endpoint: EndpointId,
    look: &Look,
    wanted: usize,
    found: &mut Found,
) -> Result<(), StoreError> {
    let manner = Manner::of(look);
    let each = manner.as_ref().map_or(1, |manner| usize::from(manner.made.policy.max_events()));
    let limit = wanted.saturating_mul(each).clamp(1, CLAIM);
    let (claim, due) = BatchClaim::begin(&inner.db, endpoint, limit, inner.owner).await?;
    let known = batches_of(&due);
    let mut stored = if known.is_empty() { Vec::new() } else { claim.stored(&known).await? };
    stored.sort_by_key(|batch| known.iter().position(|id| *id == batch.id));
    let planned = plan(manner.as_ref(), &due, &stored, wanted, PULL_BYTES);
    found.more = planned.cut || due.len() >= limit;
    found.at_latest(planned.wait);
    if planned.busy || due.is_empty() {
        // Somebody else has what the look has seen.
        found.at_latest(Some(SOON));
    }
    let plan = planned.plan;
    if plan.alone.is_empty() && plan.batches.is_empty() && plan.forget.is_empty() {
        return claim.abandon().await;
    }
    let (leased, leased_at) = claim.lease(endpoint, &plan, inner.owner, inner.lease).await?;
    found.items.extend(assemble(endpoint, &look.tenant, &plan, leased, leased_at));
    Ok(())
}

/// What has an order from before the endpoint asked for batches.
async fn ordered(
    inner: &Arc<Inner>,
    endpoint: EndpointId,
    wanted: usize,
    found: &mut Found,
) -> Result<(), StoreError> {
    let pulled = deliveries::pull(&inner.db, endpoint, wanted, inner.owner, inner.lease).await?;
    found.items = pulled.deliveries;
    found.at_latest(pulled.held.then_some(HELD));
    Ok(())
}

impl Found {
    fn at_latest(&mut self, wait: Option<Duration>) {
        self.again = [self.again, wait].into_iter().flatten().min();
    }
}
