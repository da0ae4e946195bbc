//! One batch: claim, match, insert, take off the queue, hand off. Never waits for work.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use postrider_core::batch::BatchManner;
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::ordering::Ordering;
use postrider_store::deliveries::LeasedDelivery;
use postrider_store::events::{Claim, ClaimedEvent, EventBody, Inserted, NewDeliveries};
use postrider_store::{ErrorKind, StoreError};

use crate::HandOff;
use crate::matching::{Unmatchable, matching};
use crate::payloads::Payloads;
use crate::reservation::{Left, Reservation, Takes, reserve};
use crate::routes::RouteCache;

/// What one batch may grow to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events a claim takes.
    pub events: i64,
    /// Bytes of envelopes; the events beyond stay pending.
    pub bytes: usize,
    /// Deliveries inserted; the events beyond stay pending. A single event may exceed it.
    pub deliveries: usize,
    /// Time spent on matching; the events beyond stay pending. A single event may exceed it.
    pub matching: Duration,
    /// Time spent on matching one event. What needs more cannot be matched: the claim's transaction and everybody else's events wait.
    pub one_match: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events: 500,
            bytes: 8 << 20,
            deliveries: 20_000,
            matching: Duration::from_millis(200),
            one_match: Duration::from_secs(2),
        }
    }
}

/// What a batch did. Logs, metrics and tests read the same report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Events claimed.
    pub claimed: usize,
    /// Events taken off the queue as done.
    pub fanned_out: usize,
    /// Deliveries inserted.
    pub deliveries: usize,
    /// Of these, handed to their lanes in memory.
    pub handed_off: usize,
    /// Of these, left in the database because their lane was full.
    pub overflowed: usize,
    /// Events that could not be matched for a reason of their own.
    pub troubled: usize,
    /// Events without a body, moved to the failed.
    pub bodiless: usize,
    /// There may be more at once: the claim was full or was cut.
    pub more: bool,
}

/// An event that could not be matched.
pub(crate) struct Trouble {
    pub(crate) seq: i64,
    pub(crate) attempts: i16,
    pub(crate) error: String,
}

/// Which event wants to go to which endpoint.
pub(crate) struct Match {
    pub(crate) event: usize,
    pub(crate) endpoint: EndpointId,
    pub(crate) ordering: Ordering,
    pub(crate) batched: bool,
}

/// What is decided about a claim before anything is written.
#[derive(Default)]
struct Plan {
    matches: Vec<Match>,
    /// How batches of the endpoints among them are made.
    manners: HashMap<EndpointId, BatchManner>,
    done: Vec<i64>,
    bodiless: Vec<i64>,
    trouble: Vec<Trouble>,
    cut: bool,
}

/// Who does it and under which lease.
pub(crate) struct Lease {
    pub(crate) owner: i64,
    pub(crate) time: Duration,
}

/// A batch that failed.
pub(crate) struct Failed {
    pub(crate) error: StoreError,
    /// Leased to us if the commit went through whose answer was lost; in no lane.
    pub(crate) doubtful: Vec<LeasedDelivery>,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self { error, doubtful: Vec::new() }
    }
}

/// Finishes a claim: everything after the events were read.
pub(crate) async fn finish<H: HandOff>(
    claim: Claim,
    events: &[ClaimedEvent],
    routes: &mut RouteCache,
    limits: &Limits,
    lease: &Lease,
    lanes: &H,
) -> Result<(Pass, Vec<Trouble>), Failed> {
    let mut plan = decide(&claim, events, routes, limits).await?;
    plan.matches.sort_by_key(|m| m.endpoint.0);
    let mut payloads = Payloads::of(events);
    let mut reservations =
        reserve(&plan.matches, &plan.manners, &mut payloads, limits.bytes, lanes);
    let overflowed = reservations.iter().map(Reservation::overflow).sum();
    let (rows, handed) = columns(&plan.matches, &mut reservations, &mut payloads);
    let inserted = rows.len();
    let missing =
        match claim.finish(rows, &plan.done, &plan.bodiless, lease.owner, lease.time).await {
            Ok(missing) => missing,
            Err(error) => {
                for reservation in &reservations {
                    lanes.unreserve(reservation.endpoint, reservation.places);
                }
                // The server's own refusal leaves no doubt: nothing was committed.
                let doubtful = match error.kind() {
                    ErrorKind::Unavailable => handed,
                    _ => Vec::new(),
                };
                return Err(Failed { error, doubtful });
            }
        };
    let handed_off = hand_off(handed, &missing, lanes);
    for reservation in &reservations {
        match reservation.left {
            Left::Nothing => {}
            Left::Gathering => lanes.gathering(reservation.endpoint),
            Left::Overflow => lanes.overflowed(reservation.endpoint),
        }
    }
    let pass = Pass {
        claimed: events.len(),
        fanned_out: plan.done.len(),
        deliveries: inserted - missing.len(),
        handed_off,
        overflowed,
        troubled: plan.trouble.len(),
        bodiless: plan.bodiless.len(),
        more: plan.cut || i64::try_from(events.len()).unwrap_or(i64::MAX) >= limits.events,
    };
    Ok((pass, plan.trouble))
}

/// Matches the claimed events in order, up to the limits.
async fn decide(
    claim: &Claim,
    events: &[ClaimedEvent],
    cache: &mut RouteCache,
    limits: &Limits,
) -> Result<Plan, StoreError> {
    let mut plan = Plan::default();
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut matching_took = Duration::ZERO;
    for (index, event) in events.iter().enumerate() {
        let Some(body) = &event.body else {
            plan.bodiless.push(event.seq);
            continue;
        };
        bytes += body.envelope.len();
        let slow = matching_took > limits.matching;
        if slow || bytes > limits.bytes && !plan.done.is_empty() {
            plan.cut = true;
            break;
        }
        let routes = cache.get(claim, &body.tenant_id, body.routing_version).await?;
        found.clear();
        let began = Instant::now();
        let matched = matching(&routes, body, limits.one_match, &mut found);
        matching_took += began.elapsed();
        if let Err(Unmatchable(error)) = matched {
            plan.trouble.push(Trouble { seq: event.seq, attempts: event.attempts, error });
            continue;
        }
        if plan.matches.len() + found.len() > limits.deliveries && !plan.done.is_empty() {
            plan.cut = true;
            break;
        }
        let manners = found.iter().filter_map(|route| Some((route.endpoint, route.manner?)));
        plan.manners.extend(manners);
        plan.matches.extend(found.iter().map(|route| Match {
            event: index,
            endpoint: route.endpoint,
            ordering: route.ordering,
            batched: route.batched,
        }));
        plan.done.push(event.seq);
    }
    Ok(plan)
}

/// The rows to insert, and the deliveries to hand off once they are committed.
fn columns<'a>(
    matches: &[Match],
    reservations: &mut [Reservation],
    payloads: &mut Payloads<'a>,
) -> (NewDeliveries<'a>, Vec<LeasedDelivery>) {
    let mut rows = NewDeliveries::default();
    let mut handed = Vec::new();
    let leased_at = Instant::now();
    for reservation in reservations {
        let run = &matches[reservation.range.clone()];
        match &mut reservation.takes {
            Takes::First => {
                for (place, m) in run.iter().enumerate() {
                    let leased = place < reservation.places;
                    let Some(id) = push(&mut rows, m, payloads, leased) else { continue };
                    if leased {
                        handed.push(single(id, m, payloads, leased_at));
                    }
                }
            }
            Takes::Batches(batches) => {
                let mut rest = vec![true; run.len()];
                for batch in batches.drain(..) {
                    batch.push(&mut rows, run, payloads);
                    batch.places().for_each(|place| rest[place] = false);
                    handed.push(batch.into_item(leased_at));
                }
                for (m, _) in run.iter().zip(rest).filter(|(_, rest)| *rest) {
                    push(&mut rows, m, payloads, false);
                }
            }
        }
    }
    (rows, handed)
}

/// Adds the row of a match.
fn push<'a>(
    rows: &mut NewDeliveries<'a>,
    m: &Match,
    payloads: &Payloads<'a>,
    leased: bool,
) -> Option<DeliveryId> {
    let (event, body) = payloads.of_match(m)?;
    let id = payloads.delivery_id(m)?;
    let inserted = match order_key(Some(body), m) {
        Some(key) => Inserted::Ordered(key),
        None if leased => Inserted::HandedOff,
        None => Inserted::Due,
    };
    rows.push(id, m.endpoint, event, body, inserted);
    Some(id)
}

fn single(
    id: DeliveryId,
    m: &Match,
    payloads: &mut Payloads<'_>,
    leased_at: Instant,
) -> LeasedDelivery {
    LeasedDelivery {
        id,
        endpoint: m.endpoint,
        lease_no: 1,
        attempts: 0,
        ordered: false,
        replay: false,
        event: payloads.get(m),
        leased_at,
        batch: None,
    }
}

/// Hands the committed deliveries to their lanes; what was not inserted after all gives its place back.
fn hand_off<H: HandOff>(
    mut handed: Vec<LeasedDelivery>,
    missing: &[DeliveryId],
    lanes: &H,
) -> usize {
    if !missing.is_empty() {
        let missing: std::collections::HashSet<_> = missing.iter().collect();
        handed.retain(|delivery| {
            let kept = !delivery.leases().any(|(id, _)| missing.contains(&id));
            if !kept {
                lanes.unreserve(delivery.endpoint, 1);
            }
            kept
        });
    }
    let count = handed.iter().map(|delivery| delivery.leases().count()).sum();
    if count > 0 {
        lanes.hand_off(handed);
    }
    count
}

/// The key among whose deliveries this one has its place.
pub(crate) fn order_key<'a>(body: Option<&'a EventBody>, m: &Match) -> Option<&'a str> {
    m.ordering.key(body.and_then(|body| body.ordering_key.as_deref()))
}
